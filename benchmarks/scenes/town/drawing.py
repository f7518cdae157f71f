"""Drawing the parameters of town scenes: what stands where, the camera, the light."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from visionrouter.benchmarks.scenes.camera import matmul, rotate, rotation_x, rotation_z
from visionrouter.benchmarks.scenes.draw import Draw
from visionrouter.benchmarks.scenes.scene import Camera, Environment, Parts, Scenes, Sensor
from visionrouter.benchmarks.scenes.textures import MATERIAL_SIZE, Slot
from visionrouter.benchmarks.scenes.town.paint import FARTHEST_M, Mark
from visionrouter.benchmarks.scenes.town.things import (
    CLASSES,
    COLOURS,
    JOINT_LIMB,
    JOINT_PLACE,
    JOINTS,
    MAX_OBJECTS,
    PIVOT,
    REFLECTANCE,
    STUFF,
    THINGS,
    Limb,
    Role,
    templates,
)

STREAM = 90_000
"""Keeps the town's random numbers apart from those of the other worlds with the same seed."""
WEIGHTS = (1.4, 1.5, 2.2, 2.4, 1.2, 1.0, 1.2, 1.0)
"""How often each of THINGS is drawn."""
BUILDING, TREE, CAR, PERSON, CONE, BALL, CRATE, POST = range(len(THINGS))


def sample(seeds: Sequence[int] | Tensor, *, device: str | torch.device = "cpu") -> Scenes:
    """Draw one scene for each seed; a scene depends on its seed alone. Class and colour ids index the town's own
    CLASSES and COLOUR_NAMES; keypoints are its 7 JOINTS."""
    with torch.device(device), torch.no_grad():
        return _sample(torch.as_tensor(seeds, dtype=torch.int64, device=device).flatten())


def _sample(seed: Tensor) -> Scenes:
    draw = Draw(seed).fork(STREAM)
    n, k = len(seed), MAX_OBJECTS
    objects, optics, ground, light = (draw.fork(i) for i in range(1, 5))
    fov = optics.uniform(math.radians(50), math.radians(80), 1)
    road = _road(ground)
    thing = objects.choose(list(WEIGHTS), k)
    alive = objects.unit(k) < objects.uniform(0.35, 1.0, 1)
    alive[:, 0] = True
    colour = objects.integer(len(COLOURS), k)
    phase = light.uniform(0, 1000, 1)
    swing = _swing(objects)
    parts, keypoints = _build(objects, thing, alive, colour, phase, swing)
    still = torch.zeros(n, 3)
    return Scenes(
        seed=seed,
        world=torch.zeros_like(seed),
        class_id=torch.where(alive, thing + len(STUFF), -1),
        colour=torch.where(alive & (thing != TREE), colour, -1),
        position=_places(objects, thing, fov, road),
        heading=_headings(objects, thing),
        velocity=torch.zeros(n, k, 3),
        turn_rate=torch.zeros(n, k),
        keypoints=keypoints,
        parts=parts,
        camera=_camera(optics, fov),
        camera_velocity=still,
        camera_turn=still,
        environment=_environment(ground, light, road, phase),
        sensor=Sensor(*(torch.zeros(n, 3) if i == 1 else torch.zeros(n) for i in range(7))),
    )


def _camera(draw: Draw, fov: Tensor) -> Camera:
    height = draw.uniform(0.9, 3.0, 1)
    pitch, roll = (
        draw.uniform(math.radians(-4), math.radians(18), 1)[:, 0],
        draw.uniform(-0.05, 0.05, 1)[:, 0],
    )
    zero = torch.zeros_like(height)
    return Camera(
        position=torch.cat([zero, height, zero], 1),
        rotation=matmul(rotation_x(pitch), rotation_z(roll)),
        focal=0.5 / torch.tan(fov[:, 0] / 2),
        centre=torch.full((len(draw), 2), 0.5),
        distortion=torch.zeros(len(draw), 2),
    )


def _road(draw: Draw) -> Tensor:
    """(n, 3): place beside the camera and half width in metres, heading in radians."""
    return torch.cat([draw.uniform(-3, 3, 1), draw.uniform(2.5, 5.5, 1), draw.uniform(-0.15, 0.15, 1)], 1)


def _places(draw: Draw, thing: Tensor, fov: Tensor, road: Tensor) -> Tensor:
    """(n, K, 3) on the ground within the view: distances log-uniform, buildings beside the road, some balls in the
    air."""
    k = thing.shape[1]
    z = draw.log_uniform(3.0, 32.0, k)
    z = torch.where(thing == BUILDING, z.clamp_min(11) + 4, z)
    z = torch.where((thing == TREE) | (thing == POST), z.clamp_min(5), z)
    z = torch.where(thing == CAR, z.clamp_min(5.5), z)
    z = torch.where((thing == CONE) | (thing == BALL) | (thing == CRATE), z.clamp_max(14), z)
    x = z * torch.tan(fov / 2) * draw.uniform(-0.92, 0.92, k)
    middle, half = road[:, 0:1], road[:, 1:2]
    side = torch.where(x >= middle, 1.0, -1.0)
    beside = middle + side * ((x - middle).abs().clamp_min(1) + half + 3.2)
    x = torch.where(thing == BUILDING, beside, x)
    flying = (thing == BALL) & draw.chance(0.25, k)
    return torch.stack([x, torch.where(flying, draw.uniform(0, 1.6, k), 0.0), z], -1)


def _headings(draw: Draw, thing: Tensor) -> Tensor:
    """(n, K) radians: half of the cars drive along the road, people and signs look at the camera or away."""
    k = thing.shape[1]
    any_way, along = draw.uniform(0, 2 * math.pi, k), draw.uniform(-0.35, 0.35, k)
    heading = torch.where((thing == CAR) & draw.chance(0.5, k), along, any_way)
    heading = torch.where(thing == BUILDING, draw.uniform(-0.1, 0.1, k), heading)
    heading = torch.where(thing == POST, math.pi + draw.uniform(-0.6, 0.6, k), heading)
    return torch.where(thing == PERSON, draw.uniform(-0.9, 0.9, k), heading)


def _scales(draw: Draw, thing: Tensor) -> Tensor:
    """(n, K, 3)"""
    k = thing.shape[1]
    which = thing[..., None]
    scale = draw.uniform(0.82, 1.2, k, 1) * draw.uniform(0.92, 1.08, k, 3)
    scale = torch.where(which == BUILDING, draw.uniform(0.55, 1.5, k, 3), scale)
    tall = draw.uniform(0.7, 1.5, k, 1) * draw.uniform(0.85, 1.15, k, 3)
    scale = torch.where(which == TREE, tall, scale)
    return torch.where(which == BALL, draw.uniform(0.5, 1.5, k, 1), scale)


def _swing(draw: Draw) -> Tensor:
    """(n, K, limb, 3, 3) turns of each limb about its pivot: arms anywhere from hanging to raised, legs in step."""
    k = MAX_OBJECTS
    aside, ahead = torch.zeros(len(draw), k, len(Limb)), torch.zeros(len(draw), k, len(Limb))
    aside[..., Limb.LEFT_ARM] = draw.uniform(-0.15, 2.6, k)
    aside[..., Limb.RIGHT_ARM] = -draw.uniform(-0.15, 2.6, k)
    ahead[..., Limb.LEFT_ARM] = draw.uniform(-0.7, 0.7, k)
    ahead[..., Limb.RIGHT_ARM] = draw.uniform(-0.7, 0.7, k)
    ahead[..., Limb.LEFT_LEG] = draw.uniform(-0.55, 0.55, k)
    ahead[..., Limb.RIGHT_LEG] = -ahead[..., Limb.LEFT_LEG]
    aside[..., Limb.LEFT_LEG] = draw.uniform(0, 0.22, k)
    aside[..., Limb.RIGHT_LEG] = -draw.uniform(0, 0.22, k)
    return matmul(rotation_z(aside), rotation_x(ahead))


def _build(
    draw: Draw, thing: Tensor, alive: Tensor, colour: Tensor, phase: Tensor, swing: Tensor
) -> tuple[Parts, Tensor]:
    """Parts in object frames, (n, K * M, ...), and keypoints (n, K, 7, 3), NaN where there is no person."""
    made = templates(str(thing.device))
    n, k, m = *thing.shape, made.kind.shape[1]
    scale = _scales(draw, thing)
    role, limb = made.role[thing], made.limb[thing]
    kind = torch.where(alive[..., None], made.kind[thing], -1)
    pivot = torch.tensor(PIVOT)
    turn = torch.gather(swing, 2, limb[..., None, None].expand(n, k, m, 3, 3))
    centre = pivot[limb] + rotate(turn, made.centre[thing] - pivot[limb])
    round_ = (role == Role.WOOD) | (role == Role.METAL) | (thing == CONE)[..., None] & (role != Role.DARK)
    even = torch.stack([scale[..., 0], scale[..., 1], scale[..., 0]], -1)
    stretch = torch.where(round_[..., None], even[:, :, None], scale[:, :, None])
    half_size = made.half_size[thing] * stretch
    joint_limb, place = torch.tensor(JOINT_LIMB), torch.tensor(JOINT_PLACE)
    joint_pivot = pivot[joint_limb]
    joints = (joint_pivot + rotate(swing[:, :, joint_limb], place - joint_pivot)) * scale[:, :, None]
    person = alive & (thing == PERSON)
    material = _material(thing, role, colour, phase, half_size[..., 1], draw.chance(0.5, k))
    slot = torch.arange(k)[:, None].expand(n, k, m)
    parts = Parts(
        kind=kind.reshape(n, k * m),
        centre=(centre * scale[:, :, None]).reshape(n, k * m, 3),
        rotation=turn.reshape(n, k * m, 3, 3),
        half_size=half_size.reshape(n, k * m, 3),
        shape=made.shape[thing].reshape(n, k * m, 4),
        owner=torch.where(kind >= 0, slot, -1).reshape(n, k * m),
        class_id=(thing + len(STUFF))[..., None].expand(n, k, m).reshape(n, k * m),
        material=material.reshape(n, k * m, MATERIAL_SIZE),
    )
    return parts, torch.where(person[..., None, None], joints, torch.nan).view(n, k, len(JOINTS), 3)


def _material(
    thing: Tensor, role: Tensor, colour: Tensor, phase: Tensor, half_height: Tensor, marked: Tensor
) -> Tensor:
    """(n, K, M, MATERIAL_SIZE) of parts."""
    material = torch.zeros(*role.shape, MATERIAL_SIZE)
    body = role == Role.BODY
    paint = torch.tensor(list(COLOURS.values()))[colour][:, :, None]
    first = torch.where(body[..., None], paint, torch.tensor(REFLECTANCE)[role])
    facade = 0.45 * paint + 0.35 * torch.tensor([0.70, 0.62, 0.55])
    which = thing[..., None]
    walls = body & (which == BUILDING)
    first = torch.where(walls[..., None], facade, first)
    mark = torch.where(walls, int(Mark.WINDOWS), int(Mark.PLAIN))
    mark = torch.where((which == CRATE) & marked[..., None], int(Mark.STRIPES), mark)
    mark = torch.where((which == BALL) & marked[..., None], int(Mark.BAND), mark)
    second = torch.where((mark == Mark.STRIPES)[..., None], first * 0.6, 0.9)
    second = torch.where(walls[..., None], torch.tensor([0.22, 0.28, 0.36]), second)
    material[..., Slot.RED : Slot.BLUE + 1] = first
    material[..., Slot.RED2 : Slot.BLUE2 + 1] = second
    material[..., Slot.PATTERN] = mark.float()
    material[..., Slot.FREQUENCY] = 1 / half_height
    material[..., Slot.PHASE] = phase[..., None]
    material[..., Slot.SPECULAR] = torch.where((which == CAR) | (role == Role.GLASS), 0.35, 0.0)
    return material


def _environment(draw: Draw, light: Draw, road: Tensor, phase: Tensor) -> Environment:
    n = len(draw)
    elevation, azimuth = light.uniform(0.35, 1.2, 1), light.uniform(0, 2 * math.pi, 1)
    level = elevation.cos()
    sun = torch.cat([level * azimuth.sin(), elevation.sin(), level * azimuth.cos(), torch.zeros(n, 1)], 1)
    ambient = light.uniform(0.35, 0.6, 1).expand(n, 3)
    tint = light.uniform(-0.08, 0.08, 3)
    nothing = torch.zeros(n, 3)
    material = torch.zeros(n, 7, MATERIAL_SIZE)
    material[:, :, Slot.RED : Slot.BLUE + 1] = (
        torch.tensor([0.25, 0.42, 0.16]) + draw.uniform(-0.10, 0.10, 3)
    )[:, None]
    material[:, 6, Slot.RED : Slot.BLUE + 1] = torch.tensor([0.30, 0.30, 0.31])
    material[:, 6, Slot.RED2 : Slot.BLUE2 + 1] = 0.85
    material[:, 6, Slot.PATTERN] = float(Mark.LANES)
    middle, half, heading = road.T
    material[:, 6, Slot.FREQUENCY] = 1 / half
    material[:, :, Slot.PHASE] = phase
    far = 10 * FARTHEST_M
    return Environment(
        bounds=torch.tensor([-far, far, 0.0, far, -far, FARTHEST_M]).expand(n, 6),
        face_class=torch.tensor([-1, -1, CLASSES.index("grass"), -1, -1, -1]).expand(n, 6),
        face_material=material[:, :6],
        region=torch.stack([middle, torch.zeros(n), heading, half, torch.zeros(n), torch.zeros(n)], 1)[
            :, None
        ],
        region_class=torch.full((n, 1), CLASSES.index("road")),
        region_material=material[:, 6:],
        key_light=sun,
        key_colour=light.uniform(0.7, 1.1, 1).expand(n, 3),
        fill_light=nothing,
        fill_colour=nothing,
        ambient_up=ambient,
        ambient_down=0.3 * ambient,
        zenith=torch.tensor([0.35, 0.55, 0.88]) + tint,
        horizon=torch.tensor([0.75, 0.83, 0.92]) + tint,
        clouds=torch.cat([torch.zeros(n, 2), phase], 1),
        haze=torch.full((n,), 1 / 300),
        shadow_blur=torch.zeros(n),
    )
