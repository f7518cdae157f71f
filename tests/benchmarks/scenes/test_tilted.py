"""Odd camera poses: how far they lean, and that nothing else changes."""

import torch

from visionrouter.benchmarks.scenes import render, sample, tilted, town


def lean_deg(scenes):
    """Degrees between the picture's up and the world's, in the picture."""
    up = scenes.camera.rotation[:, 1]  # the world's up as the camera sees it
    return torch.rad2deg(torch.atan2(up[:, 0].abs(), up[:, 1]))


def test_the_camera_leans_far_and_stays_where_it_was():
    for scenes in (sample("mixed", range(32)), town.sample(range(32))):
        seen = tilted(scenes)
        assert torch.equal(seen.camera.position, scenes.camera.position)
        assert (lean_deg(seen) > 15).all()
        assert (lean_deg(scenes) < 12).all()
        assert torch.equal(seen.position, scenes.position)
        turned = seen.camera.rotation
        assert torch.allclose(turned @ turned.mT, torch.eye(3).expand(32, 3, 3), atol=1e-5)


def test_a_scene_is_tilted_by_its_own_seed():
    alone, among = tilted(sample("street", [5])), tilted(sample("street", range(8)))[5:6]
    assert torch.equal(alone.camera.rotation, among.camera.rotation)
    assert not torch.equal(among.camera.rotation, tilted(sample("street", [6])).camera.rotation)


def test_truth_leans_with_the_picture():
    """Flat ground: its normals are the world's up in the camera's frame."""
    scenes = town.sample(range(4))
    views = town.render(tilted(scenes), 96, 96)
    up = tilted(scenes).camera.rotation[:, 1] * torch.tensor([1.0, 1.0, -1.0])
    for i in range(4):
        ground = views.normals[i].flatten(1).T @ up[i]
        assert (ground > 0.999).float().mean() > 0.1
    assert render(tilted(sample("room", [1])), 64, 64).depth_m.isfinite().any()
