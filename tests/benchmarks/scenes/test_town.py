import subprocess
import sys

import numpy as np
import pytest
import torch

from visionrouter.backends.generative.nano.backend import NanoBackend
from visionrouter.benchmarks.scenes import Views, digest, town
from visionrouter.schema.image import Image
from visionrouter.schema.payload import DepthMap, boxes_of
from visionrouter.schema.request import Query
from visionrouter.schema.task import Task

SCRIPT = """
from visionrouter.benchmarks.scenes import digest, town
print("\\n".join(digest(town.render(town.sample([11, 12]), 48, 64))))
"""
UNSEEN = 1_500_000_000


@pytest.fixture(scope="module")
def streets() -> Views:
    return town.render(town.sample(range(UNSEEN, UNSEEN + 8)), 128, 128)


def test_another_process_draws_the_same_town() -> None:
    here = digest(town.render(town.sample([11, 12]), 48, 64))
    there = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert there.stdout.split() == here
    assert len(set(here)) == 2


def test_a_town_scene_does_not_depend_on_its_batch() -> None:
    together = digest(town.render(town.sample([5, 6, 7]), 40, 40))
    assert digest(town.render(town.sample([6]), 40, 40))[0] == together[1]
    assert digest(town.render(town.sample([7, 5]), 40, 40)) == [together[2], together[0]]


def test_sky_is_where_nothing_is_met(streets: Views) -> None:
    sky = streets.semantic == town.CLASSES.index("sky")
    assert 0.05 < sky.float().mean() < 0.8
    assert torch.equal(sky, streets.depth_m.isinf())
    assert torch.equal(sky, (streets.normals == 0).all(1))
    assert torch.allclose(streets.normals.norm(dim=1)[~sky], torch.tensor(1.0), atol=1e-5)


def test_normals_of_the_ground_are_those_of_its_depth(streets: Views) -> None:
    fx, fy, cx, cy = streets.intrinsics[:, :4, None, None].unbind(1)
    row, column = torch.meshgrid(torch.arange(128) + 0.5, torch.arange(128) + 0.5, indexing="ij")
    z = streets.depth_m
    points = torch.stack([(column - cx) / fx * z, (cy - row) / fy * z, -z], -1)
    right, up = points[:, 1:-1, 2:] - points[:, 1:-1, :-2], points[:, :-2, 1:-1] - points[:, 2:, 1:-1]
    slope = torch.nn.functional.normalize(torch.linalg.cross(right, up), dim=-1)
    ground = (streets.instance == 0) & z.isfinite() & (z < 20)
    inner = ground[:, 1:-1, 1:-1] & ground[:, 1:-1, 2:] & ground[:, 1:-1, :-2] & ground[:, :-2, 1:-1]
    inner &= ground[:, 2:, 1:-1]
    cosine = (slope * streets.normals.permute(0, 2, 3, 1)[:, 1:-1, 1:-1]).sum(-1)[inner]
    assert inner.sum() > 5000
    assert cosine.min() > 0.999
    assert (streets.normals[:, 1][ground] > 0.7).all()
    away = -points / points.norm(dim=-1, keepdim=True)
    facing = (away * streets.normals.permute(0, 2, 3, 1)).sum(-1)
    assert (facing[z.isfinite()] > -1e-3).all()


def test_boxes_are_tight_and_classes_agree(streets: Views) -> None:
    objects = streets.objects
    for i, k in (objects.visible_px > 0).nonzero().tolist():
        mask = streets.instance[i] == k + 1
        assert mask.sum() == objects.visible_px[i, k]
        assert objects.visible_box[i, k].tolist() == boxes_of(mask.numpy()[None])[0].tolist()
        assert (streets.semantic[i][mask] == objects.class_id[i, k]).all()
    stuff = streets.semantic[streets.instance == 0]
    assert set(stuff.unique().tolist()) == {town.CLASSES.index(name) for name in town.STUFF}


def test_visible_heads_lie_on_their_people() -> None:
    views = town.render(town.sample(range(24)), 128, 128)
    head = views.objects.keypoints[:, :, town.JOINTS.index("head")]
    seen = (head[..., 2] == 2).nonzero()
    assert len(seen) > 15
    person = town.CLASSES.index("person")
    assert {int(views.objects.class_id[i, k]) for i, k in seen.tolist()} == {person}
    own = [int(views.instance[i, int(head[i, k, 1]), int(head[i, k, 0])]) == k + 1 for i, k in seen.tolist()]
    assert np.mean(own) > 0.9


@pytest.fixture(scope="module")
def nano() -> NanoBackend:
    return NanoBackend()


def test_the_embedded_backbone_is_at_home(nano: NanoBackend) -> None:
    views = town.render(town.sample(range(UNSEEN, UNSEEN + 5)))
    right, familiarity = [], []
    for rgb, truth in zip(views.rgb, views.depth_m.numpy(), strict=True):
        image = Image((rgb.permute(1, 2, 0) * 255).round().byte().numpy())
        answer = nano.predict([Query(Task.DEPTH, image)])[0]
        assert isinstance(answer.payload, DepthMap)
        known = np.isfinite(truth) & (truth < 80)
        ratio = answer.payload.values[known].clip(0.01, 80) / truth[known]
        right.append((np.maximum(ratio, 1 / ratio) < 1.25).mean())
        familiarity.append(answer.evidence.signals["familiarity"])
    assert np.median(right) > 0.93
    assert np.median(familiarity) < 0.9
