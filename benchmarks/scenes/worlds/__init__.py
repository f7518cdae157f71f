"""The worlds, and drawing scenes of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from visionrouter.benchmarks.scenes import lighting
from visionrouter.benchmarks.scenes.draw import Draw
from visionrouter.benchmarks.scenes.scene import Camera, Environment, Parts, Scenes, concatenate
from visionrouter.benchmarks.scenes.vocabulary import CLASS_ID, WORLDS
from visionrouter.benchmarks.scenes.worlds.furnish import furnish
from visionrouter.benchmarks.scenes.worlds.landscape import landscape
from visionrouter.benchmarks.scenes.worlds.plan import Plan
from visionrouter.benchmarks.scenes.worlds.room import room
from visionrouter.benchmarks.scenes.worlds.street import street
from visionrouter.benchmarks.scenes.worlds.table import table
from visionrouter.schema.errors import RequestError

World = Callable[[Draw, bool], tuple[Plan, Environment, Camera, Parts | None]]
BUILDERS: dict[str, World] = {"street": street, "room": room, "table": table, "landscape": landscape}
CLEARANCE_M = {"street": 0.45, "room": 0.3, "table": 0.06, "landscape": 0.45}


def sample(
    world: str, seeds: Sequence[int] | Tensor, *, ood: bool = False, device: str | torch.device = "cpu"
) -> Scenes:
    """Draw the parameters of one scene for each seed.

    world: one of WORLDS, or "mixed" to let each seed choose. ood: with classes, textures and scales that the
    ordinary worlds never show. A scene depends on (world, seed, ood) alone, not on its batch; devices differ
    by rounding. Drawing on a GPU pays from some hundred scenes on. Raises RequestError on an unknown world.
    """
    with torch.device(device), torch.no_grad():
        return _sample(world, torch.as_tensor(seeds, dtype=torch.int64, device=device).flatten(), ood)


def _sample(world: str, seed: Tensor, ood: bool) -> Scenes:
    if world == "mixed":
        return _mixed(seed, ood)
    if world not in BUILDERS:
        raise RequestError(f"unknown world {world!r}: choose one of {', '.join(WORLDS)} or mixed")
    number = WORLDS.index(world)
    draw = Draw(seed).fork(1000 * number + (500 if ood else 0))
    plan, environment, camera, extra = BUILDERS[world](draw.fork(1), ood)
    made = furnish(draw.fork(2), plan, extra, ood, camera.position, CLEARANCE_M[world])
    moves = draw.fork(3)
    speed = torch.tensor([1.2, 0.15, 2.0]) * (0.1 if world == "table" else 1.0)
    person = made.class_id == CLASS_ID["person"]
    return Scenes(
        seed=seed,
        world=torch.full_like(seed, number),
        class_id=made.class_id,
        colour=made.colour,
        position=plan.position,
        heading=plan.heading,
        velocity=plan.velocity,
        turn_rate=moves.normal(plan.heading.shape[1]) * 0.3 * person,
        keypoints=made.keypoints,
        parts=made.parts,
        camera=camera,
        camera_velocity=moves.normal(3) * speed,
        camera_turn=moves.normal(3) * torch.tensor([0.08, 0.2, 0.05]),
        environment=environment,
        sensor=lighting.sensor(draw.fork(4)),
    )


def _mixed(seed: Tensor, ood: bool) -> Scenes:
    names = [name for name in WORLDS if name in BUILDERS]
    which = Draw(seed).fork(77).integer(len(names), 1)[:, 0]
    order = torch.argsort(which, stable=True)
    groups = [
        _sample(name, seed[which == i], ood) for i, name in enumerate(names) if bool((which == i).any())
    ]
    return concatenate(groups)[torch.argsort(order)]
