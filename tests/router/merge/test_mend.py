"""Region repair: the hole is filled as it was, without a seam, and what cannot be vouched for is left and said."""

import numpy as np
import pytest

from visionrouter.merge.graft import Refusal
from visionrouter.merge.mend import Patch, mend
from visionrouter.merge.regions import doubtful
from visionrouter.schema.errors import SchemaError
from visionrouter.schema.payload import DepthMap, NormalMap, Segmentation

HOLE = (slice(18, 50), slice(20, 60))


@pytest.fixture
def broken(scene):
    """The scene with a wall drawn over its middle, and a confidence map that knows where."""
    values, trust = scene.copy(), np.full(scene.shape, 0.9, np.float32)
    values[HOLE] = 40
    trust[HOLE] = 0.1
    return DepthMap(values, "m"), trust


def error(depth, scene):
    return np.abs(depth.values / scene - 1).max()


def repaired(broken, *patches, **options):
    base, trust = broken
    return mend(base, patches, doubtful(trust, 0.5), trust, **options)


@pytest.mark.parametrize(
    ("unit", "seen"),
    [
        ("m", lambda d: d),
        ("m", lambda d: 1.4 * d),
        ("relative", lambda d: 0.2 * d - 7),
        ("disparity", lambda d: 9 / d + 1),
    ],
)
def test_the_hole_is_filled_on_the_bases_scale(scene, broken, unit, seen):
    merged, (done,) = repaired(broken, Patch(DepthMap(seen(scene).astype(np.float32), unit), source=2))
    assert error(merged.payload, scene) < 1e-3
    assert done.refusal is None
    assert done.residual < 1e-3
    assert np.unique(merged.source_map[HOLE]).tolist() == [2]
    assert not merged.source_map[:10].any()
    assert (merged.confidence_map[HOLE] > 0.9).all()
    assert merged.notes == ()


def test_a_metric_specialists_scale_is_kept_as_evidence(scene, broken):
    merged, (done,) = repaired(broken, Patch(DepthMap(1.4 * scene, "m")))
    assert done.alignment.log_scale == pytest.approx(-np.log(1.4), abs=1e-4)
    assert merged.evidence["ring_log_scale"] == pytest.approx(np.log(1.4), abs=1e-4)


def test_a_smooth_difference_leaves_no_seam(scene, broken):
    tilt = 1 + 0.15 * np.linspace(-1, 1, 80, dtype=np.float32)
    merged, (done,) = repaired(broken, Patch(DepthMap(scene * tilt, "m")))
    assert done.seam < 0.005
    assert error(merged.payload, scene) < 0.02, "what differs smoothly on the border differs smoothly inside"
    pasted = np.where(merged.source_map > 0, scene * tilt, scene)
    assert np.abs(pasted / scene - 1).max() > 0.07, "what pasting would have left"


def test_a_crop_will_do(scene, broken):
    _, trust = broken
    x1, y1, x2, y2 = (int(v) for v in doubtful(trust, 0.5).boxes[0])
    crop = DepthMap(scene[y1:y2, x1:x2].copy(), "m")
    merged, (done,) = repaired(broken, Patch(crop, (x1, y1, x2, y2)))
    assert done.refusal is None
    assert error(merged.payload, scene) < 1e-3
    whole, _ = repaired(broken, Patch(DepthMap(scene, "m")))
    assert whole.payload == merged.payload


def test_a_crop_without_the_context_is_not_used(scene, broken):
    crop = DepthMap(scene[HOLE].copy(), "m")
    merged, (done,) = repaired(broken, Patch(crop, (20, 18, 60, 50)))
    assert done.refusal is Refusal.NOT_COVERED
    assert merged.payload == broken[0]
    assert merged.notes == ("not_mended:1:not_covered",)


def test_a_specialist_that_sees_another_scene_is_turned_away(scene, broken):
    other = np.random.default_rng(0).uniform(2, 30, scene.shape).astype(np.float32)
    merged, (done,) = repaired(broken, Patch(DepthMap(other, "m")))
    assert done.refusal is Refusal.RING_DISAGREES
    assert done.residual > 0.15
    assert merged.payload == broken[0]
    assert (merged.confidence_map[HOLE] < 0.5).all(), "it stays doubtful"
    assert merged.evidence["doubtful_share"] == pytest.approx(32 * 40 / 4800, abs=0.01)
    assert merged.evidence["mended_share"] == 0


def test_a_specialist_inside_out_does_not_align(scene, broken):
    _, (done,) = repaired(broken, Patch(DepthMap(-scene, "relative")))
    assert done.refusal is Refusal.NOT_ALIGNED


def test_without_a_trusted_ring_nothing_is_mended(scene):
    trust = np.zeros(scene.shape, np.float32)
    _, (done,) = mend(DepthMap(scene, "m"), [Patch(DepthMap(scene, "m"))], doubtful(trust, 0.5), trust)
    assert done.refusal is Refusal.RING_TOO_SMALL


def test_what_the_specialist_does_not_know_stays_and_its_sky_is_set_in(scene, broken):
    seen = scene.copy()
    seen[20:30, 25:35] = np.nan
    seen[35:40, 40:50] = np.inf
    merged, _ = repaired(broken, Patch(DepthMap(seen, "m")))
    assert (merged.payload.values[20:30, 25:35] == 40).all()
    assert (merged.source_map[20:30, 25:35] == 0).all()
    assert (merged.confidence_map[20:30, 25:35] < 0.5).all()
    assert np.isposinf(merged.payload.values[35:40, 40:50]).all()


def test_a_patch_brings_its_own_confidence(scene, broken):
    sure = np.full(scene.shape, 0.7, np.float32)
    merged, _ = repaired(broken, Patch(DepthMap(scene, "m"), confidence_map=sure))
    assert merged.confidence_map[HOLE] == pytest.approx(0.7)
    assert merged.confidence_map[0, 0] == pytest.approx(0.9)


def test_each_region_is_judged_alone(scene):
    trust = np.full(scene.shape, 0.9, np.float32)
    trust[5:20, 5:25], trust[40:55, 55:75] = 0.1, 0.1
    seen = scene.copy()
    seen[35:, 45:] = np.random.default_rng(1).uniform(1, 40, seen[35:, 45:].shape)
    merged, mends = mend(DepthMap(scene, "m"), [Patch(DepthMap(seen, "m"))], doubtful(trust, 0.5), trust)
    assert {m.refusal for m in mends} == {None, Refusal.RING_DISAGREES}
    assert merged.evidence["regions_mended"] == 1
    assert len(merged.notes) == 1


def test_a_relative_base_is_mended_on_its_own_scale(scene):
    base, trust = (0.1 * scene - 2).astype(np.float32), np.full(scene.shape, 0.9, np.float32)
    broken = base.copy()
    broken[HOLE], trust[HOLE] = 9, 0.1
    merged, (done,) = mend(
        DepthMap(broken, "relative"), [Patch(DepthMap(scene, "m"))], doubtful(trust, 0.5), trust
    )
    assert done.refusal is None
    assert np.abs(merged.payload.values - base).max() < 1e-3


# ---- normals and classes


def dome(size=(60, 80)):
    y, x = np.mgrid[: size[0], : size[1]]
    tilt = np.stack([(x - 40) / 60, (30 - y) / 60, np.ones(size)], -1)
    return (tilt / np.linalg.norm(tilt, axis=-1, keepdims=True)).astype(np.float32)


def test_normals_are_blended_and_never_turned():
    true, trust = dome(), np.full((60, 80), 0.9, np.float32)
    broken = true.copy()
    broken[HOLE], trust[HOLE] = (1, 0, 0), 0.1
    merged, (done,) = mend(NormalMap(broken), [Patch(NormalMap(true))], doubtful(trust, 0.5), trust)
    assert done.refusal is None
    middle = merged.payload.values[25:43, 27:53]
    assert np.abs(middle - true[25:43, 27:53]).max() < 1e-5
    turned = true[..., [1, 2, 0]].copy()
    _, (done,) = mend(NormalMap(broken), [Patch(NormalMap(turned))], doubtful(trust, 0.5), trust)
    assert done.refusal is Refusal.RING_DISAGREES


def semantic(grid, labels):
    masks = np.array([grid == i for i in range(len(labels))], bool)
    return Segmentation(masks, np.full(len(labels), 0.8, np.float32), labels, "semantic")


def test_classes_are_set_in_by_name():
    grid, trust = np.zeros((60, 80), int), np.full((60, 80), 0.9, np.float32)
    grid[30:] = 1
    broken = grid.copy()
    broken[HOLE], trust[HOLE] = 0, 0.1
    seen = np.where(grid == 0, 1, 0)
    seen[35:40, 30:40] = 2
    merged, (done,) = mend(
        semantic(broken, ("sky", "road")),
        [Patch(semantic(seen, ("road", "sky", "dog")))],
        doubtful(trust, 0.5),
        trust,
    )
    assert done.refusal is None
    assert merged.payload.labels == ("sky", "road", "dog")
    assert np.array_equal(merged.payload.masks[1], (grid == 1) & (seen != 2))
    assert merged.payload.masks[2].sum() == 50
    assert done.seam < 0.01


def test_classes_that_contradict_the_ring_are_turned_away():
    grid, trust = np.zeros((60, 80), int), np.full((60, 80), 0.9, np.float32)
    trust[HOLE] = 0.1
    _, (done,) = mend(
        semantic(grid, ("sky",)), [Patch(semantic(grid, ("road",)))], doubtful(trust, 0.5), trust
    )
    assert done.refusal is Refusal.RING_DISAGREES
    assert done.residual == 1


def test_mistakes_are_named(scene, broken):
    base, trust = broken
    regions = doubtful(trust, 0.5)
    with pytest.raises(SchemaError, match="cannot mend"):
        mend(base, [Patch(NormalMap(dome()))], regions, trust)
    with pytest.raises(SchemaError, match="give its box"):
        mend(base, [Patch(DepthMap(scene[:9].copy(), "m"))], regions, trust)
    with pytest.raises(SchemaError, match="box"):
        Patch(base, (0, 0, 5, 5))
    with pytest.raises(SchemaError, match="source"):
        Patch(base, source=0)
    things = Segmentation(np.zeros((0, 60, 80), bool), np.zeros(0, np.float32), (), "instance")
    with pytest.raises(SchemaError, match="semantic"):
        mend(things, [], regions, trust)


def test_sky_on_both_sides_of_the_border_is_no_seam(scene, broken):
    base, trust = broken
    sky = scene.copy()
    base.values[:20], sky[:20] = np.inf, np.inf
    merged, (done,) = mend(base, [Patch(DepthMap(sky * 2, "m"))], doubtful(trust, 0.5), trust)
    assert done.refusal is None
    assert np.isposinf(merged.payload.values[:20]).all()
    np.testing.assert_allclose(merged.payload.values[20:], scene[20:], rtol=1e-3)


def test_sky_where_the_ring_has_walls_is_turned_away(scene, broken):
    sky = scene.copy()
    sky[:40, :50] = np.inf
    _, (done,) = repaired(broken, Patch(DepthMap(sky, "m")))
    assert done.refusal is Refusal.RING_DISAGREES
