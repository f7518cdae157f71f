import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from visionrouter.backends.generative.codecs.keypoints import KeypointCode
from visionrouter.schema.errors import SchemaError
from visionrouter.schema.palette import BLACK, separated_colours

JOINTS = ("head", "neck", "left hand", "right hand", "hip", "left foot", "right foot")
EDGES = ((0, 1), (1, 2), (1, 3), (1, 4), (4, 5), (4, 6))
COLOURS = tuple(colour.rgb for colour in separated_colours(len(JOINTS), avoid=(BLACK,)))
CODE = KeypointCode(JOINTS, COLOURS, EDGES)
BODY = np.array([(0, -60), (0, -44), (22, 0), (-22, 0), (0, 0), (12, 60), (-12, 60)], float)
H, W = 256, 400


def people(*hips, jitter=0.0, seed=0):
    noise = np.random.default_rng(seed).uniform(-jitter, jitter, (len(hips), len(JOINTS), 2))
    return np.array(hips, float).reshape(-1, 1, 2) + BODY + noise


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 4), st.floats(3, 6), st.integers(0, 2**32 - 1))
def test_people_apart_come_back_to_a_fraction_of_a_pixel(n, radius, seed):
    truth = people(*[(60 + 90 * i, 128) for i in range(n)], jitter=1.5, seed=seed)  # no two discs touch
    decoded = CODE.decode(CODE.encode(truth, H, W, radius))
    assert decoded.values.shape == truth.shape
    assert np.abs(decoded.values - truth).max() < 0.3
    assert decoded.roundness.min() > 0.8
    assert not decoded.loose.size
    assert decoded.valid.all()


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 6)), max_size=8), st.integers(0, 2**32 - 1))
def test_hidden_joints_are_missing_and_move_no_others(hidden, seed):
    truth = people((60, 128), (310, 128), (560, 128), jitter=3, seed=seed)
    for person, joint in hidden:
        truth[person, joint] = np.nan
    seen = ~np.isnan(truth[..., 0])
    assume(seen.all(axis=0).any())
    decoded = CODE.decode(CODE.encode(truth, H, 620, 4.0))
    assert np.array_equal(np.isnan(decoded.values), np.isnan(truth))
    assert np.nanmax(np.abs(decoded.values - truth)) < 0.3


def test_people_come_from_left_to_right():
    truth = people((300, 128), (100, 128))
    assert np.allclose(CODE.decode(CODE.encode(truth, H, W, 4.0)).values, truth[::-1], atol=0.3)


def test_a_hand_between_two_people_is_loose():
    truth = people((150, 128), (250, 128))
    truth[:, 2] = np.nan
    truth[0, 2] = (200, 90)
    decoded = CODE.decode(CODE.encode(truth, H, W, 4.0))
    assert np.isnan(decoded.values[:, 2]).all()
    assert decoded.loose == pytest.approx(np.array([[2, 200, 90]]), abs=0.3)
    assert np.isfinite(decoded.values[:, 5]).all()


def test_a_half_hidden_disc_and_two_run_together_are_not_round():
    truth = people((200, 128))
    truth[0, 1] = truth[0, 0] + (5, 0)
    assert CODE.decode(CODE.encode(truth, H, W, 6.0)).roundness[0, 0] < 0.7
    joined = people((200, 128), (207, 128))
    decoded = CODE.decode(CODE.encode(joined, H, W, 6.0))
    assert len(decoded.values) == 1
    assert (decoded.roundness < 0.8).all()


def test_soft_and_noisy_discs_keep_their_centres():
    from scipy import ndimage

    truth = people((120, 128), (280, 128), jitter=3)
    soft = ndimage.gaussian_filter(CODE.encode(truth, H, W, 5.0).astype(float), (1, 1, 0))
    drawing = np.rint(soft + np.random.default_rng(0).normal(0, 8, soft.shape)).clip(0, 255).astype(np.uint8)
    assert np.abs(CODE.decode(drawing).values - truth).max() < 0.5


def test_specks_are_no_people():
    drawing = CODE.encode(people((200, 128)), H, W, 4.0)
    drawing[3, 3] = COLOURS[0]
    assert len(CODE.decode(drawing).values) == 1


def test_an_empty_drawing_has_no_people():
    drawing = CODE.encode(np.zeros((0, 7, 2)), H, W, 4.0)
    decoded = CODE.decode(drawing)
    assert decoded.values.shape == (0, 7, 2)
    assert decoded.roundness.shape == (0, 7)
    assert decoded.loose.shape == (0, 3)


def test_joints_beyond_the_frame_are_not_drawn():
    truth = np.full((1, 7, 2), np.nan)
    truth[0, 0], truth[0, 1], truth[0, 2] = (2, 3), (-50, 10), (1e9, np.inf)
    drawing = CODE.encode(truth, 20, 30, 3.0)
    assert {tuple(colour) for colour in drawing.reshape(-1, 3).tolist()} == {BLACK, COLOURS[0]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colours": COLOURS[:-1]}, "6 for 7 joints"),
        ({"colours": (BLACK, *COLOURS[1:])}, "black"),
        ({"colours": (COLOURS[1], *COLOURS[1:])}, "twice"),
        ({"edges": EDGES[:-1]}, "do not reach right foot"),
        ({"edges": ((0, 9), *EDGES)}, r"outside 0\.\.6"),
        ({"joints": (), "colours": (), "edges": ()}, "0 for 0"),
    ],
)
def test_codes_that_cannot_be_read_back_are_refused(change, message):
    with pytest.raises(SchemaError, match=message):
        KeypointCode(**{"joints": JOINTS, "colours": COLOURS, "edges": EDGES, **change})


@pytest.mark.parametrize(
    ("keypoints", "radius", "message"),
    [
        (np.zeros((1, 6, 2)), 4.0, r"\(P, 7, 2\)"),
        (np.zeros((1, 7, 2), int), 4.0, "expected floats"),
        ([], 4.0, "got list"),
        (np.zeros((1, 7, 2)), 0.0, "radius"),
        (np.zeros((1, 7, 2)), float("nan"), "radius"),
    ],
)
def test_keypoints_that_cannot_be_drawn_are_refused(keypoints, radius, message):
    with pytest.raises(SchemaError, match=message):
        CODE.encode(keypoints, H, W, radius)
