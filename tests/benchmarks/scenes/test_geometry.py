from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from visionrouter.benchmarks.scenes import Scenes, cast, render
from visionrouter.benchmarks.scenes.camera import pixel_rays, project
from visionrouter.benchmarks.scenes.cast import RAYS, Solids
from visionrouter.benchmarks.scenes.intersect import MISS, Vec, hit_box, hit_quadric
from visionrouter.benchmarks.scenes.motion import posed
from visionrouter.schema.errors import RequestError

UNIT = st.floats(-1, 1, width=32)
FINE = torch.linspace(0, 12, 4001)


def first_entry(inside: torch.Tensor) -> float:
    """Distance of the first sample inside, by walking along the ray."""
    where = inside.nonzero()
    return float(FINE[where[0, 0]]) if len(where) else MISS


@given(
    st.tuples(UNIT, UNIT, UNIT),
    st.tuples(UNIT, UNIT, UNIT),
    st.floats(0, 0.95),
    st.floats(0, 0.95),
    st.floats(-0.6, 0.6),
)
@settings(max_examples=60, deadline=None)
def test_boxes_are_met_where_a_walk_along_the_ray_enters_them(aim, side, kx, kz, shear) -> None:
    origin = torch.tensor([5.0, 3.0 * side[1], 4.0 * side[2]])
    direction = torch.nn.functional.normalize(torch.tensor(aim) * 0.8 - origin, dim=0)
    p = origin + FINE[:, None] * direction
    x, y, z = p.unbind(-1)
    lift = (y + 1) / 2
    inside = (y.abs() <= 1) & (x.abs() <= 1 - kx * lift) & ((z - shear * y).abs() <= 1 - kz * lift)
    o, d = (Vec(*(c.view(1, 1) for c in v)) for v in (origin, direction))
    hit = float(hit_box(o, d, torch.tensor([[kx, kz, shear, 0.0]])))
    walked = first_entry(inside)
    if walked < MISS:
        assert hit == pytest.approx(walked, abs=0.01)
    else:
        assert hit == pytest.approx(MISS) or (
            float(inside.sum()) <= 1 and _grazes(origin, direction, hit, kx, kz, shear)
        )


def _grazes(
    origin: torch.Tensor, direction: torch.Tensor, hit: float, kx: float, kz: float, shear: float
) -> bool:
    """The walk's steps may miss a corner thinner than a step; the hit must then lie on the surface."""
    x, y, z = (origin + hit * direction).tolist()
    lift = (y + 1) / 2
    slack = (1 - abs(y), 1 - kx * lift - abs(x), 1 - kz * lift - abs(z - shear * y))
    return min(slack) > -0.02


@given(st.tuples(UNIT, UNIT, UNIT), st.tuples(UNIT, UNIT), st.floats(0.05, 1.6), st.floats(-0.35, 1.0))
@settings(max_examples=60, deadline=None)
def test_round_solids_are_met_where_a_walk_along_the_ray_enters_them(aim, side, top, bulge) -> None:
    origin = torch.tensor([5.0, 4.0 * side[0], 4.0 * side[1]])
    direction = torch.nn.functional.normalize(torch.tensor(aim) * 0.7 - origin, dim=0)
    mean, slope = (1 + top) / 2, (top - 1) / 2
    a, b, c = mean * mean + bulge, 2 * mean * slope, slope * slope - bulge
    x, y, z = (origin + FINE[:, None] * direction).unbind(-1)
    inside = (y.abs() <= 1) & (x * x + z * z <= a + b * y + c * y * y)
    o, d = (Vec(*(v.view(1, 1) for v in t)) for t in (origin, direction))
    hit = float(hit_quadric(o, d, torch.tensor([[a, b, c, 0.0]])))
    walked = first_entry(inside)
    if walked < MISS:
        assert hit == pytest.approx(walked, abs=0.02)
    elif hit < MISS:
        hx, hy, hz = (origin + hit * direction).tolist()
        assert abs(hy) <= 1.001
        assert hx * hx + hz * hz <= a + b * hy + c * hy * hy + 0.02


def test_a_ball_over_a_plane_has_its_analytic_depth_and_normals(ball_scene: Scenes) -> None:
    size = 96
    views = render(ball_scene, size, size, shadows=False)
    pixel = (torch.arange(size) + 0.5 - size / 2) / size
    x, y = pixel[None].expand(size, size), -pixel[:, None].expand(size, size)
    ray = torch.stack([x, y, torch.ones_like(x)], -1)
    centre = torch.tensor([0.3, 1.4 - 1.5, 4.0])
    a, b, c = (ray * ray).sum(-1), (ray * centre).sum(-1), float(centre @ centre) - 0.25
    disc = b * b - a * c
    on_ball = disc > 1e-3
    expected = (b - disc.clamp_min(0).sqrt()) / a
    assert torch.equal(views.instance[0][on_ball], torch.ones_like(views.instance[0][on_ball]))
    torch.testing.assert_close(views.depth_m[0][on_ball], expected[on_ball], atol=2e-4, rtol=0)
    outward = (ray * expected[..., None] - centre) / 0.5
    normal = torch.stack([outward[..., 0], outward[..., 1], -outward[..., 2]])
    assert float((views.normals[0] * normal).sum(0)[on_ball].min()) > 0.9999
    ground = (views.instance[0] == 0) & (y < -0.02)
    torch.testing.assert_close(views.depth_m[0][ground], (1.5 / -y)[ground], atol=0, rtol=1e-4)
    assert torch.allclose(views.normals[0, :, ground], torch.tensor([[0.0], [1.0], [0.0]]), atol=1e-5)
    sky = (views.instance[0] == 0) & (y > 0)
    assert bool(views.depth_m[0][sky].isinf().all())
    assert bool((views.normals[0, :, sky] == 0).all())


def test_depth_is_along_the_optical_axis_also_for_a_turned_camera(scenes: Scenes) -> None:
    """Every finite pixel's point, rebuilt from depth, projects back to its pixel at that depth."""
    h, w = 40, 56
    views = render(scenes, h, w, shadows=False)
    camera = scenes.camera
    u, v = pixel_rays(camera, h, w, h, w)
    local = torch.stack([u, v, torch.ones_like(u)], -1) * views.depth_m.nan_to_num(posinf=1.0)[..., None]
    world = torch.einsum("bij,bhwj->bhwi", camera.rotation, local) + camera.position[:, None, None]
    back = project(camera, world, h, w)
    expected = torch.stack(torch.meshgrid(torch.arange(w) + 0.5, torch.arange(h) + 0.5, indexing="xy"), -1)
    finite = views.depth_m.isfinite()
    error = (back[..., :2] - expected).abs().amax(-1)[finite]
    assert float(error.max()) < 0.02
    torch.testing.assert_close(back[..., 2][finite], views.depth_m[finite], rtol=1e-3, atol=1e-3)


def test_projection_agrees_with_opencv(scenes: Scenes) -> None:
    h, w = 120, 160
    camera = scenes.camera[0:1]
    camera = replace(camera, distortion=torch.tensor([[-0.11, 0.02]]))
    local = torch.rand(50, 3, generator=torch.Generator().manual_seed(1)) * torch.tensor([2.0, 2.0, 5.0])
    local = local - torch.tensor([1.0, 1.0, -2.0])
    world = local @ camera.rotation[0].T + camera.position
    ours = project(camera, world[None], h, w)[0]
    fx, fy, cx, cy, k1, k2 = camera.intrinsics(h, w)[0].tolist()
    points = (local * torch.tensor([1.0, -1.0, 1.0])).double().numpy()  # OpenCV's y points down
    matrix = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
    theirs, _ = cv2.projectPoints(points, np.zeros(3), np.zeros(3), matrix, np.array([k1, k2, 0, 0]))
    np.testing.assert_allclose(ours[:, :2].numpy(), theirs[:, 0], atol=0.01)
    np.testing.assert_allclose(ours[:, 2].numpy(), local[:, 2].numpy(), rtol=1e-4)


def test_tiles_lose_no_hit(scenes: Scenes) -> None:
    """Nearest hits over the culled pairs equal those over all pairs, for camera and for shadow rays."""
    for i in range(0, len(scenes), 2):
        one = scenes[i : i + 1]
        solids = Solids.of(posed(one))
        u, v = pixel_rays(one.camera, 48, 48, 48, 48)
        r = one.camera.rotation[:, :, :, None, None]
        ray = [r[:, k, 0] * u + r[:, k, 1] * v + r[:, k, 2] for k in range(3)]
        tiles = cast.to_tiles(torch.stack([*ray, u, v], 1))
        few = cast.camera_pairs(
            solids, one.camera.position, one.camera.rotation, tiles[:, :, 3], tiles[:, :, 4]
        )
        t, there = tiles.shape[1], (solids.parts.kind[0] >= 0).nonzero()[:, 0]
        everything = torch.cartesian_prod(torch.tensor([0]), torch.arange(t), there)
        origin = one.camera.position[:, None].expand(1, t, 3).reshape(-1, 3, 1)
        direction = tiles[0, :, :3].contiguous()
        culled, full = (cast.nearest(solids, pairs, origin, direction, False) for pairs in (few, everything))
        assert len(few) < len(everything)
        assert torch.equal(culled[0], full[0])
        points = origin + culled[0][:, None].clamp_max(50) * direction
        key = one.environment.key_light
        towards = torch.where(key[:, 3:] > 0.5, key[:, :3] - points.mean((0, 2)), key[:, :3])
        lit = culled[0] < MISS
        to_light = (
            key[0, :3].view(1, 3, 1) - points
            if float(key[0, 3]) > 0.5
            else towards.view(1, 3, 1).expand_as(points)
        )
        reach = torch.where(lit, 0.999, 0.0) if float(key[0, 3]) > 0.5 else torch.where(lit, 1e6, 0.0)
        start = points + to_light * 1e-3
        some = cast.light_pairs(solids, key, start[None], lit[None])
        dark = [
            cast.blocked(solids, pairs, start, to_light.contiguous(), reach) for pairs in (some, everything)
        ]
        assert torch.equal(dark[0], dark[1])
        assert dark[0].shape == (t, RAYS)


def test_any_size_and_aspect(scenes: Scenes) -> None:
    for h, w in ((1, 1), (17, 50), (61, 16)):
        views = render(scenes[0:1], h, w)
        assert views.rgb.shape == (1, 3, h, w)
        assert views.depth_m.shape == views.instance.shape == views.semantic.shape == (1, h, w)
        assert bool(views.rgb.isfinite().all())
    with pytest.raises(RequestError, match="0x8 pixels"):
        render(scenes[0:1], 8, 0)
