"""What each probe asks and reads, and what its signals say of damage that is known."""

import typing

import numpy as np
import pytest

from visionrouter.backends.fake import plausible
from visionrouter.confidence.probes import PROBES
from visionrouter.confidence.probes.input_quality import qualities
from visionrouter.schema.image import load_image
from visionrouter.schema.palette import BACKGROUND, separated_colours
from visionrouter.schema.payload import Segmentation
from visionrouter.schema.prediction import Prediction
from visionrouter.schema.request import Query
from visionrouter.schema.route import ProbeName
from visionrouter.schema.task import PaletteEntry, Target, Task

RNG = np.random.default_rng(0)
IMAGE = load_image(RNG.integers(0, 256, (48, 64, 3), np.uint8))


def photo(noise=0.0, blur=0, gain=1.0):
    """Blocks of grey with edges, damaged."""
    from scipy.ndimage import uniform_filter, zoom

    luma = zoom(np.random.default_rng(3).uniform(40, 210, (8, 8)), 16, order=0)
    luma = uniform_filter(luma, blur) if blur else luma
    luma = luma * gain + np.random.default_rng(4).normal(0, noise, luma.shape)
    return np.repeat(luma.clip(0, 255).astype(np.uint8)[..., None], 3, -1)


def test_policies_know_the_probes_that_there_are():
    assert set(PROBES) == set(typing.get_args(ProbeName))


@pytest.mark.parametrize("name", PROBES)
@pytest.mark.parametrize("task", sorted(set(Task) - {Task.COMPOSITE}))
def test_every_probe_keeps_its_word_on_every_task_it_speaks_of(name, task):
    probe = PROBES[name]
    if task not in probe.tasks:
        return
    targets = (Target("dog", "dog"), Target("cat", "cat"))
    query = Query(task, IMAGE, targets)
    questions = probe.questions(query)
    assert len(questions) <= probe.calls
    prediction = Prediction(plausible(query))
    finding = probe.read(query, prediction, [Prediction(plausible(q)) for q in questions])
    assert finding.signals
    assert all(signal.startswith(f"{probe.prefix}_") for signal in finding.signals)
    assert np.isfinite(list(finding.signals.values())).all()
    if finding.trust is not None:
        assert finding.trust.shape == IMAGE.pixels.shape[:2]
        assert finding.trust.dtype == np.float32
        assert 0 <= finding.trust.min() <= finding.trust.max() <= 1


def test_quality_tells_blur_noise_and_exposure():
    clean = qualities(photo())
    assert qualities(photo(blur=5))["input_sharpness"] < clean["input_sharpness"] - 0.5
    assert qualities(photo(noise=12))["input_noise"] == pytest.approx(12 / 255, rel=0.35)
    assert clean["input_noise"] < 0.02
    assert qualities(photo(gain=3))["input_bright"] > 0.4
    assert qualities(photo(gain=0.02))["input_dark"] > 0.4
    assert qualities(photo(gain=0.5))["input_contrast"] < clean["input_contrast"]


def test_quality_of_a_speck_is_defined():
    assert np.isfinite(list(qualities(np.zeros((1, 2, 3), np.uint8)).values())).all()


def test_votes_permute_the_colours_and_leave_the_background():
    colours = separated_colours(3, avoid=((0, 0, 0),))
    palette = (
        *(PaletteEntry(n, c.rgb, c.name) for n, c in zip("abc", colours, strict=True)),
        PaletteEntry(BACKGROUND, (0, 0, 0), "black"),
    )
    first, second = PROBES["votes"].questions(Query(Task.SEMANTIC, IMAGE, palette=palette))
    for turned in (first, second):
        assert [e.label for e in turned.palette] == [e.label for e in palette]
        assert turned.palette[3] == palette[3]
        assert all(a.rgb != b.rgb for a, b in zip(turned.palette[:3], palette[:3], strict=True))
    assert first.palette != second.palette


def test_votes_count_per_pixel():
    def classes(split):
        masks = np.zeros((2, 48, 64), bool)
        masks[0, :, :split], masks[1, :, split:] = True, True
        return Prediction(Segmentation(masks, np.ones(2, np.float32), ("dog", "cat"), "semantic"))

    query = Query(Task.SEMANTIC, IMAGE, (Target("dog", "dog"), Target("cat", "cat")))
    finding = PROBES["votes"].read(query, classes(32), [classes(32), classes(48)])
    assert finding.signals["votes_agreement"] == pytest.approx((48 + 16 / 2) / 64)
    assert finding.trust[0, 40] == 0.5
    assert finding.trust[0, 0] == 1


def test_one_class_has_no_colours_to_permute():
    assert PROBES["votes"].questions(Query(Task.SEMANTIC, IMAGE, (Target("dog", "dog"),))) == ()
