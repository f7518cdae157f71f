from dataclasses import replace

import torch

from visionrouter.benchmarks.scenes import (
    CLASS_ID,
    CLASSES,
    COLOUR_NAMES,
    COLOURS,
    HELD_OUT,
    KEYPOINTS,
    MAX_OBJECTS,
    STUFF,
    THINGS,
    WORLDS,
    Scenes,
    Views,
    concatenate,
    render,
    sample,
)
from visionrouter.benchmarks.scenes.camera import project
from visionrouter.benchmarks.scenes.develop import develop
from visionrouter.benchmarks.scenes.motion import camera_at, posed_keypoints


def box_of(mask: torch.Tensor) -> torch.Tensor:
    y, x = mask.nonzero().unbind(-1)
    return torch.stack([x.min(), y.min(), x.max() + 1, y.max() + 1]).float()


def test_boxes_areas_and_depths_are_those_of_the_masks(views: Views) -> None:
    o, seen = views.objects, 0
    for b in range(len(views)):
        for k in range(MAX_OBJECTS):
            mask = views.instance[b] == k + 1
            assert int(mask.sum()) == int(o.visible_px[b, k])
            if not bool(mask.any()):
                assert float(o.visible_box[b, k].abs().sum()) == 0
                assert bool(o.depth_m[b, k].isinf())
                continue
            seen += 1
            assert torch.equal(o.visible_box[b, k], box_of(mask))
            full = o.full_box[b, k]
            assert bool((full[:2] <= o.visible_box[b, k, :2]).all())
            assert bool((full[2:] >= o.visible_box[b, k, 2:]).all())
            assert int(o.full_px[b, k]) >= int(o.visible_px[b, k])
            assert abs(float(o.depth_m[b, k]) - float(views.depth_m[b][mask].mean())) < 2e-3
            assert set(views.semantic[b][mask].tolist()) == {int(o.class_id[b, k])}
            ys, xs = mask.nonzero().float().add(0.5).mean(0)
            assert torch.allclose(o.centroid[b, k], torch.stack([xs, ys]), atol=1e-3)
    assert seen > 25


def test_full_silhouettes_are_those_of_the_object_alone(scenes: Scenes, views: Views) -> None:
    checked = 0
    for b in range(0, len(views), 2):
        o = views.objects
        hidden = ((o.occluded[b] > 0.05) & (o.full_px[b] > 30)).nonzero()[:2, 0].tolist()
        for k in hidden:
            one = scenes[b : b + 1]
            kept = torch.where(one.parts.owner == k, one.parts.kind, -1)
            alone = render(
                replace(one, parts=replace(one.parts, kind=kept)), views.height, views.width, shadows=False
            )
            behind_a_wall = one.environment.face_class[0, 0] >= 0
            if not bool(behind_a_wall):
                # the ground hides what sinks into it; silhouettes do not stop there
                assert int(alone.objects.visible_px[0, k]) <= int(o.full_px[b, k])
            assert int(alone.objects.full_px[0, k]) == int(o.full_px[b, k])
            assert torch.equal(alone.objects.full_box[0, k], o.full_box[b, k])
            checked += 1
    assert checked >= 3


def test_occluded_share_of_two_balls(ball_scene: Scenes) -> None:
    views = render(ball_scene, 96, 96)
    o = views.objects
    assert float(o.occluded[0, 0]) == 0
    only = torch.where(ball_scene.parts.owner == 1, ball_scene.parts.kind, -1)
    alone = render(replace(ball_scene, parts=replace(ball_scene.parts, kind=only)), 96, 96)
    full = (alone.instance == 2).sum()
    assert int(o.full_px[0, 1]) == int(full)
    assert abs(float(o.occluded[0, 1]) - float(1 - (views.instance == 2).sum() / full)) < 1e-6
    assert 0.1 < float(o.occluded[0, 1]) < 0.9
    assert float(o.occluded[0, 5]) == 1  # an empty slot


def test_joints_lie_in_the_person_and_project_exactly(scenes: Scenes, views: Views) -> None:
    o = views.objects
    person = o.class_id == CLASS_ID["person"]
    assert bool((o.keypoints[~person] == 0).all())
    world = posed_keypoints(scenes)
    seen = project(camera_at(scenes, 0.0), world.nan_to_num(), views.height, views.width)
    visible = o.keypoints[..., 2] == 2
    assert int(visible.sum()) > 20
    torch.testing.assert_close(o.keypoints[..., :2][visible], seen[..., :2][visible])
    for b, k, j in visible.nonzero().tolist():
        x, y = o.keypoints[b, k, j, :2].long().tolist()
        assert int(views.instance[b, y, x]) == k + 1
    occluded = o.keypoints[..., 2] == 1
    assert bool(occluded.any())


def test_left_and_right_are_the_persons_own() -> None:
    """Seen from the front, a standing person's left shoulder is on the picture's right."""
    scenes = sample("street", range(40))
    k = scenes.keypoints[scenes.class_id == CLASS_ID["person"]]
    assert len(k) > 50
    left, right, nose = (k[:, KEYPOINTS.index(name)] for name in ("left_shoulder", "right_shoulder", "nose"))
    assert bool((left[:, 0] < right[:, 0]).all())  # the object frame faces +z, away from a viewer at -z
    assert float((nose[:, 2] > (left[:, 2] + right[:, 2]) / 2).float().mean()) > 0.95
    ankles, hips = k[:, 15:17, 1], k[:, 11:13, 1]
    assert float((hips.mean(1) > ankles.amin(1)).float().mean()) == 1
    assert float(k[..., 1].min()) > -0.05


def test_normals_have_unit_length_and_face_the_viewer(views: Views) -> None:
    length = views.normals.norm(dim=1)
    sky = views.depth_m.isinf()
    assert bool((length[sky] == 0).all())
    assert torch.allclose(length[~sky], torch.ones_like(length[~sky]), atol=1e-4)
    h, w = views.height, views.width
    fx, fy, cx, cy = (views.intrinsics[:, i, None, None] for i in range(4))
    x = (torch.arange(w) + 0.5 - cx) / fx
    y = -(torch.arange(h)[:, None] + 0.5 - cy) / fy
    facing = -(views.normals[:, 0] * x + views.normals[:, 1] * y) + views.normals[:, 2]
    assert float((facing[~sky] > -0.02).float().mean()) > 0.999


def test_worlds_hold_many_classes_and_keep_held_out_ones_out() -> None:
    ordinary = torch.cat([sample(world, range(40)).class_id.flatten() for world in WORLDS]).unique().tolist()
    names = {CLASSES[i] for i in ordinary if i >= 0}
    assert names <= set(THINGS) - set(HELD_OUT)
    assert len(names) >= 45
    strange = torch.cat([sample(world, range(25), ood=True).class_id.flatten() for world in WORLDS]).unique()
    assert {CLASSES[i] for i in strange.tolist() if i >= 0} >= set(HELD_OUT)


def test_semantic_map_holds_stuff_where_there_is_no_object(views: Views) -> None:
    background = views.semantic[views.instance == 0]
    assert int(background.max()) < len(STUFF)
    assert bool((views.semantic[views.depth_m.isinf()] == CLASS_ID["sky"]).all())
    assert len(background.unique()) >= 5


PLAIN = ("cup", "bottle", "crate", "sports ball", "vase", "chair", "couch", "teddy bear", "suitcase", "apple")
"""Things most of whose surface has the main colour."""


def test_named_colours_look_like_their_names() -> None:
    """In white light the usual pixel of an object is nearer to its name's hue than to any other's."""
    scenes = concatenate([sample("table", range(12)), sample("room", range(12))])
    white = {
        name: getattr(scenes.environment, name).mean(-1, keepdim=True).expand(-1, 3)
        for name in ("key_colour", "fill_colour", "ambient_up", "ambient_down", "zenith", "horizon")
    }
    n = len(scenes)
    plain = replace(
        scenes.sensor,
        white_balance=torch.ones(n, 3),
        saturation=torch.ones(n),
        noise=torch.zeros(n),
        contrast=torch.zeros(n),
    )
    views = render(replace(scenes, environment=replace(scenes.environment, **white), sensor=plain), 64, 64)
    vivid = [COLOUR_NAMES.index(name) for name in ("red", "green", "blue", "yellow", "purple")]
    palette = torch.tensor(list(COLOURS.values()))[vivid]
    hues = torch.nn.functional.normalize(palette - palette.mean(1, keepdim=True), dim=1)
    o = views.objects
    wanted = torch.isin(o.class_id, torch.tensor([CLASS_ID[name] for name in PLAIN])) & (o.visible_px > 40)
    right = []
    for b, k in (wanted & torch.isin(o.colour, torch.tensor(vivid))).nonzero().tolist():
        median = views.rgb[b][:, views.instance[b] == k + 1].median(1).values
        right.append(vivid[int((hues @ (median - median.mean())).argmax())] == int(o.colour[b, k]))
    assert len(right) >= 15
    assert sum(right) / len(right) > 0.85


def test_exposure_does_not_change_truth(scenes: Scenes, views: Views) -> None:
    darker = replace(scenes, sensor=replace(scenes.sensor, exposure=scenes.sensor.exposure / 4))
    again = render(darker, views.height, views.width)
    assert torch.equal(again.instance, views.instance)
    assert torch.equal(again.depth_m, views.depth_m)
    assert float(again.rgb.mean()) < 0.8 * float(views.rgb.mean())
    assert develop(torch.zeros(8, 3, 4, 4), scenes.sensor, scenes.seed).isfinite().all()
