"""The page tells what the document holds, and fetches nothing."""

from dataclasses import replace
from html import unescape
from html.parser import HTMLParser

import pytest

from visionrouter.benchmarks.rainy.document import Certified, Document, Estimate
from visionrouter.benchmarks.rainy.heat import Column, Spot, heat_map
from visionrouter.benchmarks.rainy.report import html
from visionrouter.benchmarks.rainy.run import HTML, JSON, Plan, conduct, write
from visionrouter.benchmarks.rainy.targets import loses

VOID = {"meta", "img", "br"}
PLAN = Plan(
    "made up", "flat", ("default", "safety-critical"), scenes=4, plants=4, fault_rates=(0.3,), draws=100
)


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.links, self.texts, self._open = [], [], []
        self.feed(text)
        assert not self._open

    def handle_starttag(self, tag, attrs):
        self.links += [value for name, value in attrs if name in ("src", "href")]
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


@pytest.fixture
def document(matrix, bench, tmp_path):
    return conduct(PLAN, matrix, bench, tmp_path)


def test_it_is_whole_says_the_targets_and_fetches_nothing(document, tmp_path):
    write(document, tmp_path)
    page = Page((tmp_path / HTML).read_text())
    assert all(link.startswith(("#", "data:image/jpeg;base64,")) for link in page.links)
    text = " ".join(page.texts)
    for target in document.targets:
        assert target.name in text
    for system in document.systems:
        assert system.name in text
    assert f"{sum(t.met for t in document.targets)} of {len(document.targets)} targets met" in text
    assert Document.load(tmp_path / JSON) == document


def test_a_lost_cell_is_on_it_and_first(document):
    score = next(s for s in document.scores if s.system == "default")
    lost = replace(score, best="steady", versus=Estimate(0.2, 0.1, 0.3), certified=Certified(9, 4, 0.1, True))
    page = html(replace(document, scores=(*document.scores, lost)))
    before = sum(loses(s) for s in document.scores if s.system in ("default", "safety-critical"))
    assert f"routing loses in {before + 1} of" in page
    assert page.index("Where routing loses") < page.index("What quality costs")
    assert "violated" in page


def test_the_worst_answers_are_shown_with_their_pictures(matrix, bench, tmp_path):
    seer = bench.backends["sharp"].inner
    seer.by_fog, seer.honest = 0.2, False
    document = conduct(PLAN, matrix, bench, tmp_path)
    assert document.failures
    page = html(document, tmp_path)
    assert page.count("<img") == 4 * len(document.failures)
    assert "<img" not in html(document)
    assert all(failure.said in unescape(page) for failure in document.failures)


def test_a_heat_map_has_a_place_for_every_figure_and_none_for_what_is_not_there():
    columns = [Column("fog1", "fog"), Column("fog2", "fog"), Column("rain1", "rain")]
    spots = [[Spot(0.5, "x"), None, Spot(2.0, "<b>", framed=True)]]
    picture = heat_map(["router"], columns, spots, "heat")
    assert picture.count("<rect") == 2
    assert picture.count("stroke:var(--ink)") == 1
    assert "&lt;b&gt;" in picture
    assert heat_map([], columns, [], "heat") == ""
