"""Relative inverse depth in gray: nearer is brighter, and what is not gray is found out."""

import numpy as np
import pytest

from visionrouter.backends.generative.codecs.check import Foreign, code_check
from visionrouter.backends.generative.codecs.depth import DepthCode
from visionrouter.backends.generative.codecs.grayscale import GrayDepthCode
from visionrouter.schema.errors import SchemaError

CODE = GrayDepthCode()
RAMP = np.linspace(0, 1, 256)[None].repeat(64, 0)


def test_what_is_drawn_is_read_back_to_half_a_level() -> None:
    decoded = CODE.decode(CODE.encode(RAMP))
    assert decoded.values == pytest.approx(RAMP, abs=0.5 / 255)
    assert decoded.residual.max() == pytest.approx(0, abs=1e-6)
    assert decoded.valid.all()


def test_a_colour_is_off_the_code_by_its_distance_from_gray() -> None:
    red = np.full((2, 2, 3), (255, 0, 0), np.uint8)
    decoded = CODE.decode(red)
    assert decoded.values == pytest.approx(1 / 3)
    assert decoded.residual == pytest.approx(np.sqrt(2 / 3))
    assert not decoded.valid.any()


def test_gray_passes_and_other_codes_are_named() -> None:
    assert code_check(CODE.encode(RAMP), CODE).suspected is None
    assert code_check(DepthCode().encode(1 + 30 * RAMP), CODE).suspected is Foreign.DEPTH
    assert code_check(np.zeros((64, 64, 3), np.uint8), CODE).suspected is Foreign.BLACK


def test_only_a_share_can_be_drawn() -> None:
    for wrong in (RAMP * 2, RAMP - 1, np.full((4, 4), np.nan), RAMP[0]):
        with pytest.raises(SchemaError, match=r"\[0, 1\]"):
            CODE.encode(wrong)
