"""Both checkpoints of Marigold's intrinsics in the small: which picture is which map, and in which light."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_pipelines as tiny

from visionrouter.backends.generative.marigold.backend import Marigold
from visionrouter.backends.generative.marigold.targets import targets_of
from visionrouter.router import Router
from visionrouter.schema.decision import Reason
from visionrouter.schema.errors import SchemaError, UnsupportedTargetError, WeightsError
from visionrouter.schema.image import load_image
from visionrouter.schema.payload import Intrinsics
from visionrouter.schema.request import Query
from visionrouter.schema.task import Task

PHOTO = load_image(np.random.default_rng(0).integers(0, 256, (48, 80, 3), np.uint8))
MAPS = {
    "appearance": ("albedo", "roughness", "metallicity"),
    "lighting": ("albedo", "shading", "residual"),
}
Folders = Callable[[str], str]


def opened(folder: str, **more: Any) -> Marigold:
    return Marigold(folder, draws="intrinsics", device="cpu", **more)


def ask(backend: Marigold, **more: Any) -> Any:
    (prediction,) = backend.predict([Query(Task.INTRINSICS, PHOTO, **more)])
    return prediction


@pytest.mark.parametrize("kind", MAPS)
def test_each_draws_its_own_maps(folders: Folders, kind: str) -> None:
    backend = opened(folders(kind))
    assert backend.spec.tasks == {Task.INTRINSICS}
    assert backend.spec.depth_unit is None
    payload = ask(backend).payload
    assert isinstance(payload, Intrinsics)
    assert tuple(payload.maps) == MAPS[kind]
    assert {values.shape[:2] for values in payload.maps.values()} == {(48, 80)}


def test_one_step_from_no_noise_and_the_tiny_autoencoder(folders: Folders) -> None:
    backend = opened(folders("lighting"), noise="zeros", vae=folders("vae"))
    assert ask(backend, seed=1) == ask(backend, seed=2)
    assert type(backend._model.pipeline.vae).__name__ == "AutoencoderTiny"


def flat(*levels: float) -> Callable[[int, int], np.ndarray]:
    """A picture of one colour in [0, 1]."""
    return lambda height, width: np.full((height, width, 3), 2 * np.array(levels) - 1)


def test_what_is_encoded_is_made_linear_and_numbers_are_taken_by_channel(
    folders: Folders, plant: Callable[..., None]
) -> None:
    backend = opened(folders("appearance"))
    plant(backend, flat(0.5, 0.25, 1.0), flat(0.3, 0.8, 0.6))
    payload = ask(backend).payload
    assert payload.albedo[9, 9] == pytest.approx([0.5**2.2, 0.25**2.2, 1.0], abs=1e-5)
    assert payload.roughness == pytest.approx(0.3, abs=1e-5)
    assert payload.metallicity == pytest.approx(0.8, abs=1e-5)


def test_what_is_linear_stays_as_it_is_and_lies_where_it_was_drawn(
    folders: Folders, plant: Callable[..., None]
) -> None:
    backend = opened(folders("lighting"), long_side=80)
    ramp = lambda h, w: np.linspace(-1, 1, h)[:, None, None].repeat(w, 1).repeat(3, 2)  # noqa: E731
    plant(backend, flat(0.2, 0.4, 0.6), ramp, flat(0, 0, 0.1))
    payload = ask(backend).payload
    assert payload.albedo[5, 70] == pytest.approx([0.2, 0.4, 0.6], abs=1e-5)
    assert payload.shading[:, 3, 1] == pytest.approx(np.linspace(0, 1, 48), abs=0.01)
    assert payload.residual[0, 0] == pytest.approx([0, 0, 0.1], abs=1e-5)


def test_members_that_agree_are_trusted_and_the_channel_that_means_nothing_is_not_heard(
    folders: Folders, plant: Callable[..., None]
) -> None:
    backend = opened(folders("appearance"), ensemble=3)
    albedo = flat(0.5, 0.5, 0.5)
    odd = [flat(0.3, 0.8, blue) for blue in (0.0, 0.5, 1.0)]
    plant(backend, *(picture for material in odd for picture in (albedo, material)))
    evidence = ask(backend).evidence
    assert evidence.signals["ensemble_uncertainty"] == pytest.approx(0, abs=1e-6)
    assert evidence.confidence_map.min() == pytest.approx(1, abs=1e-4)


def test_a_map_that_the_weights_do_not_draw_is_refused_before_anything_is_drawn(
    folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = opened(folders("appearance"))
    backend.load()
    monkeypatch.setattr(type(backend._model), "draw", lambda *_: pytest.fail("it drew"))
    with pytest.raises(UnsupportedTargetError, match="draws albedo, roughness, metallicity, not shading"):
        ask(backend, style="shading")


@pytest.mark.parametrize(("kind", "pictures", "words"), [
    (None, 2, "target_properties are missing"),
    ({"target_names": ["albedo"]}, 1, "not understood"),
    ({"target_names": ["albedo"], "albedo": {"prediction_space": "log"}}, 1, "not understood"),
    ({"target_names": ["gloss"], "gloss": {}}, 1, "target_properties name gloss"),
    ({"target_names": ["shading"], "shading": {}}, 1, "an albedo"),
    ({"target_names": ["albedo", "roughness"], "albedo": {}, "roughness": {}}, 2, "these in a stack"),
    (tiny.TARGETS["lighting"], 2, "names 3 pictures and draws 2"),
])  # fmt: skip
def test_weights_that_do_not_say_what_they_draw(
    kind: dict[str, Any] | None, pictures: int, words: str, tmp_path: Path
) -> None:
    folder = tiny.marigold_intrinsics(kind, pictures, tmp_path)
    with pytest.raises(WeightsError, match=words):
        opened(str(folder)).load()


def test_the_two_layouts_are_read_as_they_are_written() -> None:
    seen = {
        kind: [(t.name, t.picture, t.channel, t.encoded) for t in targets_of(tiny.TARGETS[kind])]
        for kind in MAPS
    }
    assert seen == {
        "appearance": [
            ("albedo", 0, None, True),
            ("roughness", 1, 0, False),
            ("metallicity", 1, 1, False),
        ],
        "lighting": [("albedo", 0, None, False), ("shading", 1, None, False), ("residual", 2, None, False)],
    }
    with pytest.raises(SchemaError, match="missing"):
        targets_of(None)


def test_through_the_router_who_draws_the_map_that_is_asked_for_answers(folders: Folders) -> None:
    backends = {kind: opened(folders(kind), ensemble=3, licence="Apache-2.0") for kind in MAPS}
    for kind, backend in backends.items():
        object.__setattr__(backend.spec, "name", kind)
    with Router(backends) as router:
        plain = router.run(PHOTO, "albedo map")
        lit = router.run(PHOTO, "decompose this image into reflectance and shading")
    assert plain.sources == ("appearance",)
    assert isinstance(lit.payload, Intrinsics)
    assert lit.sources == ("lighting",)
    first, second = lit.decision.attempts
    assert first.verdict.reason is Reason.UNSUPPORTED_TARGET
    assert "ensemble_uncertainty" in second.signals
