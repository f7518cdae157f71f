"""A dense answer that is doubtful in places is mended there, judged anew, and says whose each pixel is."""

import numpy as np
import pytest

from visionrouter.backends.fake import FakeBackend
from visionrouter.router import Router
from visionrouter.schema.decision import Outcome, Reason
from visionrouter.schema.payload import DepthMap
from visionrouter.schema.prediction import Evidence, Prediction
from visionrouter.schema.result import Result
from visionrouter.schema.route import Limit
from visionrouter.schema.task import Task

PHOTO = np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8)
TRUE = np.repeat(np.linspace(20, 2, 96, dtype=np.float32)[:, None], 128, 1)
HOLE = (slice(30, 60), slice(40, 80))


class Depths(FakeBackend):
    """Answers depth with a map of its own; crops where it may, with the part of its map that the crop shows."""

    def __init__(self, name, values, trust=None, crops=False, score=0.9, **options):
        super().__init__(name, **options)
        object.__setattr__(self.spec, "crops", crops)
        self.values, self.trust, self.score = values, trust, score

    def predict(self, queries):
        self.calls += queries
        return [self._depth(q) for q in queries]

    def _depth(self, query):
        size = query.image.pixels.shape[:2]
        y, x = (0, 0) if size == TRUE.shape else place(query.image.pixels)
        at = (slice(y, y + size[0]), slice(x, x + size[1]))
        trust = None if self.trust is None else self.trust[at]
        return Prediction(DepthMap(self.values[at].copy(), "m"), Evidence({"score": self.score}, trust))


def place(crop):
    for y in range(96 - crop.shape[0] + 1):
        for x in range(128 - crop.shape[1] + 1):
            if np.array_equal(PHOTO[y : y + crop.shape[0], x : x + crop.shape[1]], crop):
                return y, x
    raise AssertionError("not a part of the photo")


def holed():
    values, trust = TRUE.copy(), np.full(TRUE.shape, 0.9, np.float32)
    values[HOLE] *= 3
    trust[HOLE] = 0.1
    return values, trust


def run(base, patch, accept=None, regions=None, mended_limits=None):
    route = {"try": ["base", "patch"], "fallback": {"regions": regions or {"below": 0.5}}}
    policy = {"schema_version": 1, "name": "mend", "default": {"route": route}}
    limits = {
        "base": {Task.DEPTH: {"score": Limit(min=0.95)}},
        "patch": {Task.DEPTH: {"score": Limit(min=0.5)}},
        "base+patch": {Task.DEPTH: mended_limits or {"mend_doubtful_share": Limit(max=0.01)}},
    }
    with Router([base, patch], policy, limits=limits) as router:
        return router.run(PHOTO, "depth map")


@pytest.mark.parametrize("crops", [False, True], ids=["whole", "crops"])
@pytest.mark.parametrize("scale", [1.0, 0.5], ids=["same scale", "half the scale"])
def test_the_doubtful_region_is_mended_and_marked(crops, scale):
    values, trust = holed()
    patch = Depths("patch", TRUE * scale, crops=crops)
    result = run(Depths("base", values, trust), patch)
    assert (result.outcome, result.sources) == (Outcome.MERGED, ("base", "patch"))
    error = np.abs(result.payload.values - TRUE) / TRUE
    assert error[HOLE].mean() < 0.02
    assert error[0].max() == 0
    assert result.source_map[45, 60] == 1
    assert result.source_map[0, 0] == 0
    assert 0.05 < (result.source_map == 1).mean() < 0.25
    sizes = {q.image.pixels.shape[:2] for q in patch.calls}
    assert (sizes == {TRUE.shape}) is not crops
    assert Result.from_json(result.to_json()) == result


def test_a_mended_answer_that_nobody_measured_is_not_vouched_for():
    values, trust = holed()
    policy = {
        "schema_version": 1,
        "name": "mend",
        "default": {"route": {"try": ["base", "patch"], "fallback": "regions"}},
    }
    limits = {name: {Task.DEPTH: {"score": Limit(min=0.95)}} for name in ("base", "patch")}
    with Router([Depths("base", values, trust), Depths("patch", TRUE)], policy, limits=limits) as router:
        result = router.run(PHOTO, "depth map")
    assert result.payload is None
    assert [c.backend for c in result.candidates] == ["base", "base+patch", "patch"]
    assert result.candidates[1].verdict.reason is Reason.NO_LIMITS


@pytest.mark.parametrize(
    ("regions", "spots", "note"),
    [
        ({"below": 0.5, "max_share": 0.05}, 1, "not_mended:too_large"),
        ({"below": 0.5, "max_count": 1}, 2, "not_mended:too_many_regions"),
        ({"below": 0.05}, 1, "not_mended:nothing_in_doubt"),
    ],
)
def test_past_its_limits_the_fallback_is_whole_and_says_why(regions, spots, note):
    values, trust = holed()
    if spots == 2:
        trust[70:90, 100:120] = 0.1
    result = run(Depths("base", values, trust), Depths("patch", TRUE), regions=regions)
    assert (result.outcome, result.sources) == (Outcome.FELL_BACK, ("patch",))
    assert note in result.decision.attempts[0].notes
    assert np.array_equal(result.payload.values, TRUE)


def test_a_patch_that_does_not_fit_its_surroundings_is_not_set_in():
    values, trust = holed()
    stranger = np.random.default_rng(1).uniform(2, 20, TRUE.shape).astype(np.float32)
    result = run(Depths("base", values, trust), Depths("patch", stranger))
    assert (result.outcome, result.sources) == (Outcome.FELL_BACK, ("patch",))
    joined = next(c for c in result.candidates if c.backend == "base+patch")
    assert joined.prediction.notes == ("not_mended:1:ring_disagrees",)


def test_the_whole_answer_is_asked_for_once():
    values, trust = holed()
    patch = Depths("patch", TRUE)
    result = run(Depths("base", values, trust), patch, mended_limits={"mend_regions": Limit(min=99)})
    assert result.outcome is Outcome.FELL_BACK
    assert len(patch.calls) == 1
