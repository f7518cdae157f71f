"""A report says which signals carry and what could be certified, and its page stands on its own."""

import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import numpy as np
import pytest

from visionrouter.confidence.calibrator import Calibrator
from visionrouter.confidence.certify import certify
from visionrouter.confidence.metrics import auroc, sparsification
from visionrouter.confidence.report import COMBINED, make_report
from visionrouter.confidence.report_html import html
from visionrouter.confidence.report_svg import Series, chart
from visionrouter.confidence.report_text import markdown


@pytest.fixture(scope="module")
def report(calibration, held_out, scope, digests):
    calibrator = Calibrator.fit(calibration.rows, calibration.good, scope=scope)
    rows, bad = held_out.rows[:900], ~held_out.good[:900]
    rows = [{**row, "a|<b>": row["noise"] ** 2} for row in rows]
    confidence = np.array([calibrator.confidence(row) for row in rows])
    groups = ["fog" if i % 40 == 0 else "clear" for i in range(900)]
    outcomes = [
        outcome
        for given in (None, groups)
        for outcome in certify(
            confidence,
            bad.astype(float),
            scope=scope,
            digests=digests,
            alpha=0.1,
            delta=0.1,
            groups=given,
            tag="weather",
        )
    ]
    rng = np.random.default_rng(0)
    errors = [rng.gamma(1.0, 0.1, (20, 30)) for _ in range(3)]
    return make_report(
        calibrator,
        rows,
        bad,
        outcomes=outcomes,
        groups=groups,
        units=[f"scene-{i // 3}" for i in range(900)],
        sparsification=sparsification((-e, e) for e in errors),
        notes=("Recorded in the rain.",),
    )


def test_every_signal_is_judged_alone_and_together(report, held_out):
    by = {row.name: row for row in report.signals}
    assert report.signals[0].name == COMBINED
    assert set(by) == {COMBINED, "code_residual", "familiarity", "noise", "always", "a|<b>"}
    column = np.array([-row["code_residual"] for row in held_out.rows[:900]])
    assert by["code_residual"].auroc.value == auroc(column, ~held_out.good[:900])
    assert by["code_residual"].weight < 0
    assert by["a|<b>"].weight is None
    assert by["always"].auroc.value == 0.5
    for row in report.signals:
        assert row.auroc.low <= row.auroc.value <= row.auroc.high
    assert by[COMBINED].auroc.low > by["noise"].auroc.high


def test_units_widen_intervals(calibration, scope, held_out):
    """Every row four times over is no more data than once."""
    calibrator = Calibrator.fit(calibration.rows, calibration.good, scope=scope)
    rows, bad = held_out.rows[:200] * 4, np.tile(~held_out.good[:200], 4)
    units = [str(i) for i in range(200)] * 4
    by_row, by_unit = (make_report(calibrator, rows, bad, units=u).combined.auroc for u in (None, units))
    assert by_unit.high - by_unit.low > 1.5 * (by_row.high - by_row.low)


def test_markdown_has_every_table_and_says_what_is_infeasible(report):
    text = markdown(report)
    for heading in ("Certificates", "Signals", "Reliability", "Groups", "Pixels"):
        assert f"\n## {heading}\n" in text
    assert "| weather fog | ltt-binomial | 0.1 | 0.1 | nothing |" in text
    assert "of what is accepted at most 0.1 is wrong, with certainty 0.9" in text
    assert "900 items from 300 scenes" in text
    assert "`always`, constant (1)" in text
    assert "a\\|<b>" in text
    for table in text.split("\n\n"):
        if table.startswith("|"):
            cells = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
            assert len(cells) == 1


class Balanced(HTMLParser):
    VOID = ("meta", "line", "circle", "polyline")

    def __init__(self):
        super().__init__()
        self.open, self.seen = [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag


def test_the_page_is_whole_and_fetches_nothing(report):
    page = html(report)
    parser = Balanced()
    parser.feed(page)
    assert parser.open == []
    assert parser.seen.count("svg") == 4
    assert not {"script", "link", "img", "b"} & set(parser.seen)
    assert "http" not in page
    assert "url(" not in page
    assert "prefers-color-scheme: dark" in page
    assert "nan" not in re.sub(r"[a-z_]*nano[a-z_]*|[a-z]+nan[a-z]*", "", page.lower())


@pytest.mark.parametrize("ys", [[0.0, 0.0], [0.0003, 0.0001], [float("nan"), 0.2], [40.0, 90.0]])
def test_charts_stay_within_their_frame(ys):
    picture = chart([Series("s", [0.0, 1.0], ys), Series("p", [0.5, 1.0], ys, points=True)], "x", "y")
    root = ET.fromstring(picture[: picture.index("</svg>") + 6])
    numbers = [float(e.get("cy")) for e in root.iter("circle")]
    numbers += [float(n) for e in root.iter("polyline") for n in re.findall(r"[-\d.]+", e.get("points"))]
    assert all(0 <= n <= 440 for n in numbers)
    assert "nan" not in picture
