from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from visionrouter.backends.generative.codecs.check import Foreign, code_check
from visionrouter.backends.generative.codecs.depth import DepthCode
from visionrouter.backends.generative.codecs.normals import MARIGOLD_AXES, NormalCode
from visionrouter.backends.generative.codecs.palette import PaletteCode
from visionrouter.schema.palette import NAMED_COLOURS, separated_colours
from visionrouter.schema.task import PaletteEntry

PHOTOS = Path(__file__).parents[3] / "data" / "photos"
PALETTE = PaletteCode(tuple(PaletteEntry(colour.name, colour.rgb) for colour in separated_colours(8)))
CODES = {"depth": DepthCode(), "normals": NormalCode(), "palette": PALETTE}
SIZE = 200


def scene():
    """Depth in metres, normals and labels of a ball before a room's floor and wall."""
    ys, xs = np.mgrid[0:SIZE, 0:SIZE]
    down = (ys + 0.5) / SIZE - 0.45
    floor = down > 0.05
    depth = np.where(floor, 0.8 / np.maximum(down, 0.05), 16 + xs / SIZE)
    normals = np.where(floor[..., None], (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    x, y = (xs - 120) / 45, (110 - ys) / 45
    ball = x * x + y * y < 1
    z = np.sqrt(np.maximum(0, 1 - x * x - y * y))
    depth = np.where(ball, 2.5 - 0.5 * z, depth)
    normals = np.where(ball[..., None], np.stack([x, y, z], -1), normals)
    return depth, normals, np.where(ball, 2, floor.astype(int)) + (xs > 150) * (ys < 60) * 3


DEPTH, NORMALS, LABELS = scene()
DRAWN = {
    "depth": CODES["depth"].encode(DEPTH),
    "normals": CODES["normals"].encode(NORMALS),
    "palette": PALETTE.encode(LABELS),
}


def noisy(drawing, levels):
    noise = np.random.default_rng(0).normal(0, levels, drawing.shape)
    return np.rint(drawing + noise).clip(0, 255).astype(np.uint8)


def coloured(name, values):
    """A depth map in one of matplotlib's colour maps, as other models draw it."""
    scaled = (values - values.min()) / np.ptp(values)
    return np.rint(mpl.colormaps[name](scaled)[..., :3] * 255).astype(np.uint8)


@pytest.mark.parametrize("levels", [0, 8])
@pytest.mark.parametrize("asked", CODES)
def test_a_drawing_on_its_own_code_is_not_suspected(asked, levels):
    check = code_check(noisy(DRAWN[asked], levels), CODES[asked])
    assert check.suspected is None
    assert check.on_code_share > 0.95


@pytest.mark.parametrize("asked", CODES)
@pytest.mark.parametrize("drawn", CODES)
def test_another_code_is_named(asked, drawn):
    if drawn != asked:
        assert code_check(noisy(DRAWN[drawn], 3), CODES[asked]).suspected == drawn


@pytest.mark.parametrize("asked", CODES)
@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize(
    "name", ["gray", "viridis", "plasma", "inferno", "magma", "turbo", "jet", "Spectral"]
)
def test_depth_in_a_colour_map_is_named(name, inverse, asked):
    drawing = noisy(coloured(name, 1 / DEPTH if inverse else DEPTH), 2)
    expected = Foreign.GRAYSCALE if name == "gray" else Foreign(name.lower())
    assert code_check(drawing, CODES[asked]).suspected is expected


@pytest.mark.parametrize("asked", ["depth", "normals"])
@pytest.mark.parametrize("level", [0, 12, 25])
def test_a_nearly_black_drawing_is_suspected_though_it_lies_near_the_walk(asked, level):
    check = code_check(np.full((50, 50, 3), level, np.uint8), CODES[asked])
    assert check.suspected is Foreign.BLACK


def test_dark_gray_shades_are_no_depth():
    ramp = np.repeat(np.linspace(0, 90, 100).astype(np.uint8)[None, :, None], 100, 0).repeat(3, 2)
    assert code_check(ramp, CODES["depth"]).suspected is Foreign.GRAYSCALE


def test_black_is_a_fair_answer_where_the_palette_has_it():
    black = np.zeros((50, 50, 3), np.uint8)
    assert "black" in {entry.label for entry in PALETTE.palette}
    assert code_check(black, PALETTE).suspected is None
    assert code_check(black, PaletteCode((PaletteEntry("dog", (255, 0, 0)),))).suspected is Foreign.BLACK


def test_a_sky_of_missing_normals_is_on_the_code():
    drawing = CODES["normals"].encode(np.where(np.arange(SIZE)[:, None, None] < 150, 0.0, NORMALS))
    assert code_check(drawing, CODES["normals"]).suspected is None


def test_normals_are_known_for_normals_on_other_axes():
    drawing = NormalCode(MARIGOLD_AXES).encode(NORMALS)
    assert code_check(drawing, CODES["depth"]).suspected is Foreign.NORMALS


def test_colours_the_prompt_did_not_give_are_another_palette():
    other = PaletteCode(tuple(PaletteEntry(n, NAMED_COLOURS[n]) for n in ("orange", "purple", "teal")))
    assert code_check(DRAWN["palette"], other).suspected is Foreign.PALETTE


@pytest.mark.parametrize("asked", CODES)
@pytest.mark.parametrize("name", ["astronaut", "chelsea", "china", "coffee", "flower", "rocket"])
def test_a_photo_is_a_photo(asked, name):
    with Image.open(PHOTOS / f"{name}.jpg") as picture:
        photo = np.asarray(picture.convert("RGB"))
    check = code_check(photo, CODES[asked])
    assert check.suspected is Foreign.NATURAL_IMAGE
    assert check.on_code_share < 0.5


@pytest.mark.parametrize("asked", ["depth", "palette"])
def test_noise_is_on_no_code(asked):
    noise = np.random.default_rng(0).integers(0, 256, (100, 100, 3), dtype=np.uint8)
    assert code_check(noise, CODES[asked]).suspected is Foreign.UNKNOWN


def test_a_large_drawing_is_judged_like_a_small_one():
    large = np.kron(DRAWN["depth"], np.ones((6, 6, 1), np.uint8))
    assert code_check(large, CODES["depth"]).suspected is None
    assert code_check(large, CODES["palette"]).suspected is Foreign.DEPTH
