"""Units and values of depth: constants planted in the real heads, the libraries' preprocessing as the oracle."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from tiny_specialists import depth_anything

from visionrouter.backends.registry import create
from visionrouter.schema.errors import ProfileError
from visionrouter.schema.image import Image, load_image
from visionrouter.schema.payload import DepthMap
from visionrouter.schema.request import Query
from visionrouter.schema.task import Task

Tiny = Callable[[str], dict[str, Any]]


@pytest.fixture(scope="module")
def image() -> Image:
    return load_image(np.random.default_rng(3).integers(0, 256, (60, 90, 3), np.uint8))


def depth(backend: Any, image: Image) -> DepthMap:
    (got,) = backend.predict([Query(Task.DEPTH, image)])
    assert isinstance(got.payload, DepthMap)
    assert got.payload.unit == backend.spec.depth_unit
    return got.payload


@pytest.mark.parametrize(
    ("kind", "unit", "value"), [("relative", "disparity", 0.7), ("metric", "m", 20 / (1 + np.exp(-0.7)))]
)
def test_depth_anything_tells_its_unit_and_a_planted_constant(
    kind: str, unit: str, value: float, tmp_path: Path, image: Image
) -> None:
    depth_anything(tmp_path, kind)
    backend = create("depth_anything", params={"source": str(tmp_path), "device": "cpu"})
    assert backend.spec.depth_unit == unit
    backend.load()
    head = backend._model.model.head.conv3  # type: ignore[attr-defined]
    with torch.no_grad():
        head.weight.zero_()
        head.bias.fill_(0.7)
    np.testing.assert_allclose(depth(backend, image).values, value, rtol=1e-4)


def test_depth_anything_sees_what_its_processor_makes(tiny: Tiny, image: Image) -> None:
    backend = create("depth_anything", params=tiny("depth_anything"))
    backend.load()
    model = backend._model  # type: ignore[attr-defined]
    with torch.inference_mode():
        output = model.model(**model.processor(images=image.pixels.copy(), return_tensors="pt"))
    (row,) = model.processor.post_process_depth_estimation(output, target_sizes=[(60, 90)])
    np.testing.assert_allclose(
        depth(backend, image).values, row["predicted_depth"].numpy().clip(0), rtol=1e-4, atol=1e-5
    )


def test_depth_pro_reads_inverse_depth_with_its_field_of_view(
    tiny: Tiny, image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = create("depth_pro", params=tiny("depth_pro"))
    backend.load()
    planted = torch.full((1, 32, 32), 0.25)
    planted[0, :16] = 0.0
    monkeypatch.setattr(
        backend._model.model,  # type: ignore[attr-defined]
        "forward",
        lambda **_: SimpleNamespace(predicted_depth=planted, field_of_view=torch.tensor([90.0])),
    )
    values = depth(backend, image).values
    # 90 degrees: focal length half the width, so inverse depth is twice the canonical one
    np.testing.assert_allclose(values[-10:], 2.0, rtol=1e-3)
    assert np.isposinf(values[:10]).all()


def test_zoedepth_is_metres_at_the_images_size(tiny: Tiny, image: Image) -> None:
    backend = create("zoedepth", params=tiny("zoedepth"))
    values = depth(backend, image).values
    assert values.shape == (60, 90)
    assert backend.spec.depth_unit == "m"
    assert (values >= 0).all()


@pytest.fixture(scope="module")
def da3(tiny: Tiny) -> str:
    pytest.importorskip("depth_anything_3", reason="depth-anything-3 is installed by hand")
    return str(tiny("depth_anything3")["source"])


def test_depth_anything_3_is_metric_where_the_camera_is_told(da3: str, image: Image) -> None:
    plain = create("depth_anything3", params={"source": da3, "side": 70, "device": "cpu"})
    told = create("depth_anything3", params={"source": da3, "side": 70, "device": "cpu", "fov_deg": 90})
    assert (plain.spec.depth_unit, told.spec.depth_unit) == ("relative", "m")
    relative, metres = depth(plain, image).values, depth(told, image).values
    seen = np.isfinite(relative)
    assert np.array_equal(seen, np.isfinite(metres))
    # at 90 degrees the focal length is half of the 70 pixels it sees
    np.testing.assert_allclose(metres[seen], relative[seen] * 35 / 300, rtol=1e-4)
    with pytest.raises(ProfileError, match="fov_deg"):
        create("depth_anything3", params={"fov_deg": 200})


@pytest.mark.parametrize("size", [(48, 64), (80, 50), (300, 451), (77, 77)])
def test_depth_anything_3_sees_what_its_library_sees(da3: str, size: tuple[int, int]) -> None:
    pytest.importorskip("imageio")
    from visionrouter.backends.specialist.depth_anything3 import _quiet, see

    with _quiet():
        from depth_anything_3.utils.io.input_processor import InputProcessor
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    expected, _, _ = InputProcessor()([pixels], process_res=70, sequential=True)
    assert torch.equal(see(pixels, 70), expected.reshape(1, *expected.shape[-3:]))
