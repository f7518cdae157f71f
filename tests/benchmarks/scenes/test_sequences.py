from dataclasses import replace

import pytest
import torch

from visionrouter.benchmarks.scenes import Scenes, render_clip, sample
from visionrouter.benchmarks.scenes.damage.lens import sample_at
from visionrouter.schema.errors import RequestError


def test_a_sideways_step_moves_points_by_focal_over_depth(ball_scene: Scenes) -> None:
    moving = replace(
        ball_scene, camera_velocity=torch.tensor([[1.0, 0.0, 0.0]]), camera_turn=torch.zeros(1, 3)
    )
    clip = render_clip(moving, [0.0, 0.1], 64, 64, shadows=False)
    depth = clip.views[0].depth_m
    finite = depth.isfinite()
    expected = -0.1 * 64 / depth[finite]
    torch.testing.assert_close(clip.flow[0][:, 0][finite], expected, atol=2e-3, rtol=1e-3)
    assert float(clip.flow[0][:, 1][finite].abs().max()) < 2e-3
    assert float(clip.flow[0][:, :, ~finite[0]].abs().max()) < 1e-3  # the sky stands still


def test_a_moving_object_carries_its_points(ball_scene: Scenes) -> None:
    velocity = torch.zeros_like(ball_scene.velocity)
    velocity[0, 0] = torch.tensor([0.0, 0.5, 0.0])
    still = replace(
        ball_scene, velocity=velocity, camera_velocity=torch.zeros(1, 3), camera_turn=torch.zeros(1, 3)
    )
    clip = render_clip(still, [0.0, 0.2], 64, 64, shadows=False)
    on_ball = clip.views[0].instance == 1
    expected = -0.1 * 64 / clip.views[0].depth_m[on_ball]
    torch.testing.assert_close(clip.flow[0][:, 1][on_ball], expected, atol=2e-3, rtol=1e-3)
    assert float(clip.flow[0][:, :, (clip.views[0].instance[0] == 0)].abs().max()) < 1e-3


def test_flow_warps_each_frame_onto_the_next() -> None:
    clip = render_clip(sample("mixed", [21, 22, 23]), [0.0, 0.15, 0.3], 64, 80, shadows=False)
    assert len(clip.flow) == len(clip.valid) == 2
    for now, then, flow, valid in zip(clip.views, clip.views[1:], clip.flow, clip.valid, strict=False):
        u, v = torch.meshgrid(torch.arange(80) + 0.5, torch.arange(64) + 0.5, indexing="xy")
        x, y = u + flow[:, 0].nan_to_num(), v + flow[:, 1].nan_to_num()
        arrived = sample_at(then.rgb, x, y)
        error = (arrived - now.rgb).abs().mean(1)
        stayed = (then.rgb - now.rgb).abs().mean(1)
        assert float(valid.float().mean()) > 0.5
        assert float(error[valid].mean()) < 0.75 * float(stayed[valid].mean())
        px, py = (x[valid].long(), y[valid].long())
        scene = torch.arange(3)[:, None, None].expand_as(valid)[valid]
        same = then.instance[scene, py, px] == now.instance[valid]
        assert float(same.float().mean()) > 0.97


def test_a_clip_needs_times(ball_scene: Scenes) -> None:
    with pytest.raises(RequestError, match="at least one time"):
        render_clip(ball_scene, [])
