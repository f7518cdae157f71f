import numpy as np
import pytest

from visionrouter.backends.generative.codecs.check import code_check
from visionrouter.backends.generative.codecs.depth import DepthCode
from visionrouter.backends.generative.codecs.instances import InstanceCode
from visionrouter.backends.generative.codecs.keypoints import KeypointCode
from visionrouter.backends.generative.codecs.normals import NormalCode
from visionrouter.backends.generative.codecs.palette import PaletteCode
from visionrouter.schema.errors import SchemaError
from visionrouter.schema.task import PaletteEntry

DECODERS = {
    "depth": DepthCode().decode,
    "normals": NormalCode().decode,
    "palette": PaletteCode((PaletteEntry("dog", (255, 0, 0)), PaletteEntry("rest", (0, 0, 0)))).decode,
    "instances": InstanceCode().decode,
    "keypoints": KeypointCode(("head",), ((255, 0, 0),), ()).decode,
    "check": lambda drawing: code_check(drawing, DepthCode()),
}
BAD = {
    "floats": (np.zeros((4, 4, 3), np.float32), r"\(x \* 255\)"),
    "wide integers": (np.zeros((4, 4, 3), np.int64), "expected uint8, got int64"),
    "alpha": (np.zeros((4, 4, 4), np.uint8), r"drop alpha"),
    "gray": (np.zeros((4, 4), np.uint8), "three channels"),
    "batch": (np.zeros((1, 4, 4, 3), np.uint8), "one by one"),
    "empty": (np.zeros((0, 4, 3), np.uint8), "expected RGB"),
    "list": ([[[0, 0, 0]]], "got list"),
}


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("bad", BAD)
def test_what_is_no_drawing_is_refused_with_the_mend(decoder, bad):
    drawing, message = BAD[bad]
    with pytest.raises(SchemaError, match=message):
        DECODERS[decoder](drawing)


@pytest.mark.parametrize("decoder", [name for name in DECODERS if name != "check"])
def test_every_decoder_gives_a_residual_and_a_validity_a_pixel_and_leaves_the_drawing_alone(decoder):
    drawing = np.random.default_rng(0).integers(0, 256, (13, 17, 3), dtype=np.uint8)
    drawing.flags.writeable = False
    decoded = DECODERS[decoder](drawing)
    assert (decoded.residual.dtype, decoded.residual.shape) == (np.float32, (13, 17))
    assert (decoded.valid.dtype, decoded.valid.shape) == (np.bool_, (13, 17))
    assert (decoded.residual >= 0).all()
    assert decoded.valid[decoded.residual == decoded.residual.min()].all()


@pytest.mark.parametrize("decoder", DECODERS)
def test_one_pixel_is_a_drawing(decoder):
    DECODERS[decoder](np.zeros((1, 1, 3), np.uint8))
