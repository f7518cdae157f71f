"""ImageNet classes of real photos, against golden outputs and timm's own preprocessing."""

from collections.abc import Callable
from typing import Any

import numpy as np
import PIL.Image
import pytest

from visionrouter.backends.specialist.classifier import TimmClassifier
from visionrouter.schema.image import Image, load_image
from visionrouter.schema.payload import Classification
from visionrouter.schema.request import Query
from visionrouter.schema.task import Target, Task


@pytest.fixture(scope="module")
def classifier() -> TimmClassifier:
    return TimmClassifier()


@pytest.mark.parametrize("name", ["chelsea", "china", "coffee"])
def test_the_golden_five(
    classifier: TimmClassifier, photo: Callable[[str], Image], golden: Callable[[str], Any], name: str
) -> None:
    (prediction,) = classifier.predict([Query(Task.CLASSIFY, photo(name))])
    expected = golden(f"efficientnet_lite0_{name}")["top5"]
    found = prediction.payload
    assert isinstance(found, Classification)
    assert list(found.labels) == [row["label"] for row in expected]
    np.testing.assert_allclose(found.scores, [row["probability"] for row in expected], atol=0.02)
    assert prediction.evidence.signals["score"] == pytest.approx(float(found.scores[0]))
    assert prediction.evidence.signals["margin"] == pytest.approx(float(found.scores[0] - found.scores[1]))


@pytest.mark.parametrize("size", [(451, 300), (300, 451), (224, 224), (640, 427), (97, 1031)])
def test_the_view_is_that_of_timms_own_transform(
    photo: Callable[[str], Image], size: tuple[int, int]
) -> None:
    from timm.data import create_transform, resolve_model_data_config

    from visionrouter.backends.specialist.classifier import Network

    network = Network.open(TimmClassifier().weight_set, "timm")
    picture = PIL.Image.fromarray(photo("flower").pixels).resize(size)
    transform = create_transform(**resolve_model_data_config(network.model), is_training=False)
    levels = 127.5 * np.abs(network.view(np.asarray(picture)) - transform(picture).numpy())
    assert levels.max() < 4
    assert levels.mean() < 0.2


def test_words_that_narrow_the_question_are_owned_up_to(
    classifier: TimmClassifier, photo: Callable[[str], Image]
) -> None:
    asked = Query(Task.CLASSIFY, photo("chelsea"), targets=(Target("animal", "animal", number="one"),))
    (prediction,) = classifier.predict([asked])
    assert prediction.notes == ("targets_ignored",)


def test_a_thin_picture_is_not_blown_up(classifier: TimmClassifier) -> None:
    thin = load_image(np.full((20_000, 1, 3), 90, np.uint8))
    (prediction,) = classifier.predict([Query(Task.CLASSIFY, thin)])
    assert len(prediction.payload) == 5
