"""Scenes that several tests look at, rendered once."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from visionrouter.benchmarks.scenes import CLASS_ID, WORLDS, Scenes, Views, concatenate, render, sample
from visionrouter.benchmarks.scenes.intersect import QUADRIC
from visionrouter.benchmarks.scenes.scene import Camera, Parts
from visionrouter.benchmarks.scenes.textures import MATERIAL_SIZE

HEIGHT, WIDTH = 72, 104


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Pictures this small gain nothing from threads, and other work on the machine would make them wait."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def scenes() -> Scenes:
    """Two scenes of each world."""
    return concatenate([sample(world, [3, 4]) for world in WORLDS])


@pytest.fixture(scope="session")
def views(scenes: Scenes) -> Views:
    return render(scenes, HEIGHT, WIDTH)


def parts_of(kind: list[int], centre: Tensor, half_size: Tensor, shape: Tensor, owner: list[int]) -> Parts:
    """Unrotated parts of one scene; all belong to sports balls."""
    n = len(kind)
    return Parts(
        kind=torch.tensor([kind]),
        centre=centre.view(1, n, 3),
        rotation=torch.eye(3).expand(1, n, 3, 3),
        half_size=half_size.view(1, n, 3),
        shape=shape.view(1, n, 4),
        owner=torch.tensor([owner]),
        class_id=torch.full((1, n), CLASS_ID["sports ball"]),
        material=torch.full((1, n, MATERIAL_SIZE), 0.3),
    )


@pytest.fixture(scope="session")
def ball_scene() -> Scenes:
    """Two balls in a row over a plane: the nearer hides part of the farther. The camera stands 1.5 m high,
    level, without distortion; slot 0 is 4 m away with a radius of 0.5 m, slot 1 is 6 m away with 1 m."""
    base = sample("street", [0])
    k = base.class_id.shape[1]
    ids = torch.full((1, k), -1)
    ids[0, :2] = CLASS_ID["sports ball"]
    sphere = torch.tensor([[1.0, 0.0, -1.0, 0.0]])
    camera = Camera(
        position=torch.tensor([[0.0, 1.5, 0.0]]),
        rotation=torch.eye(3)[None],
        focal=torch.tensor([1.0]),
        centre=torch.tensor([[0.5, 0.5]]),
        distortion=torch.zeros(1, 2),
    )
    return replace(
        base,
        class_id=ids,
        colour=torch.where(ids >= 0, 0, -1),
        position=torch.zeros(1, k, 3),
        heading=torch.zeros(1, k),
        velocity=torch.zeros(1, k, 3),
        turn_rate=torch.zeros(1, k),
        keypoints=torch.full((1, k, 17, 3), torch.nan),
        parts=parts_of(
            [QUADRIC, QUADRIC],
            torch.tensor([[0.3, 1.4, 4.0], [-0.2, 1.6, 6.0]]),
            torch.tensor([[0.5] * 3, [1.0] * 3]),
            sphere.expand(2, 4),
            [0, 1],
        ),
        camera=camera,
    )
