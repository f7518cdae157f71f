"""Reports: whole without a network, in a real browser: narrow, dark, by keyboard, and to a screen reader."""

import base64
import re
import shutil
from html.parser import HTMLParser

import numpy as np
import pytest

from visionrouter.experiment.bootstrap import Metric
from visionrouter.experiment.compare import compare
from visionrouter.experiment.compare_report import Witness, compare_page
from visionrouter.experiment.page import write_page
from visionrouter.experiment.pairs import Row, as_pairs
from visionrouter.experiment.plan import Guardrail, Plan
from visionrouter.experiment.replay import Range, Replay, Replayed
from visionrouter.experiment.replay_report import replay_page
from visionrouter.experiment.simulate import Simulated
from visionrouter.schema.decision import Decision, Outcome, Reason
from visionrouter.schema.errors import ExperimentError
from visionrouter.schema.task import Task

EVIL = '<script>alert("x")</script>'
JPEG = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAgGBgcGBQgHBwcJCQgKDBQNDAsLDBkSEw8UHRofHh0aHBwgJC4nICIsIxwcKDcpLDAxNDQ0Hyc5PTgy"
    "PC4zNDL/wAALCAABAAEBAREA/8QAFAABAAAAAAAAAAAAAAAAAAAACf/EABQQAQAAAAAAAAAAAAAAAAAAAAD/2gAIAQEAAD8AKp//2Q=="
)


def compared(**plan):
    rng = np.random.default_rng(0)
    rows = []
    for i in range(200):
        hard = rng.beta(2, 5)
        a, b = (
            {"loss": float(np.clip(hard + d + rng.normal(0, 0.1), 0, 1)), "latency_ms": rng.lognormal(3, 0.5), "confidence": 1 - hard}
            for d in (0, -0.1)
        )  # fmt: skip
        rows.append(Row(f"req-{i:03d}", a, b, f"scene-{i // 2}", {"weather": "rain" if i % 9 == 0 else EVIL}))
    pairs = as_pairs(rows)
    guards = (Guardrail(Metric("latency_ms"), 10.0, 200.0),)
    return compare(pairs, Plan(Metric("loss"), guards, margin=0.01, resamples=300, **plan)), pairs


def comparison_page(**plan):
    found, pairs = compared(**plan)
    return compare_page(
        found, pairs, ("old", "new"), lambda _: Witness("accepted", EVIL, EVIL, JPEG, (JPEG, JPEG))
    )


def replayed_page():
    old = Decision("r1", Task.DEPTH, EVIL, Outcome.ACCEPTED, Reason.WITHIN_LIMITS, "p", "h", "default")
    new = Simulated("night", ("a", "b"), None, why="b was not asked", unknown="b")
    found = Replay(
        10, 6, 1, 2, 1,
        {(Outcome.ACCEPTED, Outcome.ACCEPTED): 6, (Outcome.ACCEPTED, None): 3, (Outcome.DEGRADED, Outcome.ABSTAINED): 1},
        {"b was not asked": 3}, {("default: a", "night: a > b"): 3}, 12.5, Range(10.0, 15.0, 9), 1.0,
        Range(float("nan"), float("nan"), 0), (Replayed(old, new),),
    )  # fmt: skip
    return replay_page(found, "careful")


class Outline(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.attrs = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attrs.append((tag, dict(attrs)))


@pytest.mark.parametrize(
    "make",
    [comparison_page, lambda: comparison_page(live=True), replayed_page],
    ids=["once", "live", "replay"],
)
def test_a_page_is_whole_and_told_to_everyone(make):
    text = make()
    outline = Outline(text)
    assert EVIL not in text
    assert not re.search(r"(?:src|href)=\"(?!data:|#)", text)
    assert "http://" not in text
    assert "https://" not in text
    assert outline.tags.count("h1") == 1
    assert {"header", "main", "footer", "section", "caption", "figcaption"} <= set(outline.tags)
    for tag, attrs in outline.attrs:
        if tag == "img":
            assert attrs["alt"]
        if tag == "svg":
            assert attrs["role"] == "img"
            assert attrs["aria-label"]
        if tag == "th":
            assert attrs["scope"] in ("col", "row")
    ids = [attrs["id"] for _, attrs in outline.attrs if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert not re.search(
        r"\bnan\b", re.sub(r"<(script|style).*?</\1>|<[^>]*>", " ", text, flags=re.DOTALL), re.IGNORECASE
    )


def test_the_verdict_comes_first():
    text = comparison_page()
    assert text.index("new is better than old") < text.index("<table")
    assert "req-" in text
    assert "9 of 10 requests" not in replayed_page()
    assert "3 of 10 requests would go otherwise under careful" in replayed_page()


def test_disagreements_side_by_side_with_both_decisions():
    (first, *_) = re.findall(r'<li class="row">.*?</li>', comparison_page(), re.DOTALL)
    assert [attrs["alt"] for tag, attrs in Outline(first).attrs if tag == "img"] == [
        f"{what} request {re.search('req-[0-9]+', first)[0]}"
        for what in ("the picture of", "the answer of old to", "the answer of new to")
    ]
    assert re.search(r"<b>old</b> loss [\d.]+; accepted</figcaption>", first)
    found, pairs = compared()
    kept = compare_page(
        found, pairs, ("old", "new"), lambda _: Witness("accepted", "abstained", "depth", JPEG)
    )
    assert 'class="row"' not in kept
    assert re.search(r"<dt>new</dt><dd>loss [\d.]+; abstained</dd>", kept)


def test_a_page_that_cannot_be_written(tmp_path):
    with pytest.raises(ExperimentError, match="cannot be written"):
        write_page(tmp_path / "no" / "such.html", "")


@pytest.fixture(scope="module")
def browser():
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (binary and driver):
        pytest.skip("Chromium is not installed: apt-get install chromium chromium-driver")
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    options = Options()
    options.binary_location = binary
    for word in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(word)
    made = webdriver.Chrome(options=options, service=Service(driver))
    yield made
    made.quit()


def open_page(browser, path, text, width, scheme="light"):
    path.write_text(text)
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    browser.get(path.as_uri())


LUMINANCE = """
const parts = getComputedStyle(arguments[0])[arguments[1]].match(/[0-9.]+/g).map(Number).slice(0, 3);
const lin = parts.map(c => c / 255).map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
return 0.2126 * lin[0] + 0.7152 * lin[1] + 0.0722 * lin[2];
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("make", [comparison_page, replayed_page], ids=["compare", "replay"])
def test_it_fits_a_phone_and_is_read_in_the_light_and_the_dark(browser, tmp_path, make, scheme):
    open_page(browser, tmp_path / "page.html", make(), 390, scheme)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 390
    paper = browser.execute_script(LUMINANCE, browser.find_element("css selector", "body"), "backgroundColor")
    assert (paper < 0.1) == (scheme == "dark")
    for selector in ("h1", "td", "caption", "footer p", "thead th"):
        ink = browser.execute_script(LUMINANCE, browser.find_element("css selector", selector), "color")
        contrast = (max(ink, paper) + 0.05) / (min(ink, paper) + 0.05)
        assert contrast >= 4.5, selector
    assert len(browser.get_screenshot_as_png()) > 10_000
    fetched = browser.execute_script("return performance.getEntriesByType('resource').map(e => e.name)")
    assert [name for name in fetched if not name.startswith("data:")] == []
    problems = [e for e in browser.get_log("browser") if e["level"] == "SEVERE"]
    assert problems == []


def test_tables_are_sorted_by_mouse_and_by_keyboard_and_say_so(browser, tmp_path):
    from selenium.webdriver.common.keys import Keys

    open_page(browser, tmp_path / "page.html", comparison_page(), 1200)
    browser.find_element("css selector", "body").send_keys(Keys.TAB)
    assert browser.switch_to.active_element.text == "To the figures"
    table = browser.find_elements("css selector", "table.sorts")[-1]
    heads = table.find_elements("css selector", "thead th")
    button = heads[1].find_element("css selector", "button")

    def column():
        cells = browser.execute_script(
            "return [...arguments[0].tBodies[0].rows].map(r => Number(r.cells[1].dataset.v))", table
        )
        return list(cells)

    browser.execute_script("arguments[0].click()", button)
    assert heads[1].get_attribute("aria-sort") == "ascending"
    assert column() == sorted(column())
    button.send_keys(Keys.ENTER)
    assert heads[1].get_attribute("aria-sort") == "descending"
    assert column() == sorted(column(), reverse=True)
    heads[0].find_element("css selector", "button").send_keys(Keys.SPACE)
    assert heads[1].get_attribute("aria-sort") is None
    said = browser.find_element("id", "say").get_attribute("textContent")
    assert said == "sorted by id, ascending"
