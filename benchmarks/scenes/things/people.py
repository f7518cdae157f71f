"""Persons: flesh, clothes and hair on a skeleton, with exact COCO-17 keypoints."""

from __future__ import annotations

import torch
from torch import Tensor

from visionrouter.benchmarks.scenes import materials as mat
from visionrouter.benchmarks.scenes.draw import Draw
from visionrouter.benchmarks.scenes.shapes import Assembly, stack
from visionrouter.benchmarks.scenes.things.body import SIDES, Body, draw_body

HAIR = ((0.04, 0.03, 0.03), (0.20, 0.12, 0.06), (0.42, 0.28, 0.14), (0.80, 0.66, 0.38), (0.6, 0.6, 0.6))


def person(draw: Draw, main: Tensor) -> Assembly:
    """A person in any of the poses of `draw_body`. The main colour is the upper garment's."""
    body = draw_body(draw)
    a = Assembly(len(draw))
    skin, trousers = mat.skin(draw), mat.cloth(draw)
    _limbs(a, draw, body, main, trousers, skin)
    _trunk(a, draw, body, main, trousers)
    _head(a, draw, body, skin)
    a.keypoints = body.keypoints()
    return a


def _limbs(a: Assembly, draw: Draw, body: Body, main: Tensor, trousers: Tensor, skin: Tensor) -> None:
    tall, thick = body.tall, body.tall * 0.04 * body.build
    sleeve = torch.where(draw.chance(0.4, 1), skin, main)
    shin_cover = torch.where(draw.chance(0.25, 1), skin, trousers)
    shoes = mat.cloth(draw)
    for side in SIDES:
        hip, knee, ankle = body.legs[side]
        a.rod(hip, knee, thick * 1.25, trousers, top=0.72, bulge=0.12)
        a.rod(knee, ankle, thick * 0.88, shin_cover, top=0.62, bulge=0.2)
        a.ball(knee, (thick * 0.92, thick * 0.92, thick * 0.92), shin_cover)
        foot = ankle + stack(a.n, 0.0, body.ankle_height * -0.35, tall * 0.035)
        a.ball(foot, (tall * 0.026, tall * 0.026, tall * 0.075), shoes)
        shoulder, elbow, wrist = body.arms[side]
        a.ball(shoulder, (thick * 0.9, thick * 0.9, thick * 0.9), main)
        a.rod(shoulder, elbow, thick * 0.82, main, top=0.78)
        a.rod(elbow, wrist, thick * 0.64, sleeve, top=0.62, bulge=0.12)
        a.ball(wrist + (wrist - elbow) * 0.22, (thick * 0.5, thick * 0.7, thick * 0.6), skin)


def _trunk(a: Assembly, draw: Draw, body: Body, main: Tensor, trousers: Tensor) -> None:
    tall, build, wide = body.tall, body.build, body.shoulder_half
    chest = (wide * 0.82, tall * 0.125, tall * 0.062 * build)
    a.spindle(body.trunk(0, tall * 0.2, 0), chest, main, top=1.18, bulge=0.15, turn=body.spine)
    a.ball(body.trunk(0, tall * 0.29, 0), (wide, tall * 0.05, tall * 0.055 * build), main, turn=body.spine)
    hips = (tall * 0.104 * build, tall * 0.075, tall * 0.066 * build)
    a.ball(body.trunk(0, tall * 0.035, 0), hips, trousers, turn=body.spine)
    skirt = draw.chance(0.18, 1)[:, 0] & ~body.folded
    middle = body.pelvis - stack(a.n, 0.0, tall * 0.1, 0.0)
    a.spindle(middle, (tall * 0.14, tall * 0.15, tall * 0.12), trousers, top=0.62, where=skirt)
    pack = (wide * 0.7, tall * 0.12, tall * 0.05)
    carries = draw.chance(0.12, 1)[:, 0]
    place = body.trunk(0, tall * 0.2, tall * -0.105)
    a.box(place, pack, mat.cloth(draw), taper=(0.2, 0.4), turn=body.spine, where=carries)


def _head(a: Assembly, draw: Draw, body: Body, skin: Tensor) -> None:
    tones = torch.tensor(HAIR)[draw.choose([0.35, 0.3, 0.15, 0.12, 0.08], 1)[:, 0]]
    hair = mat.material(mat.jitter(draw, tones, 0.03), a.n, mottle=0.3, specular=0.15)
    dark = mat.material((0.06, 0.05, 0.05), a.n, specular=0.6)
    lips = mat.material(skin[:, :3] * torch.tensor([0.85, 0.5, 0.5]), a.n)

    def ball(x: float, y: float, z: float, size: tuple[float, float, float], look: Tensor) -> None:
        extent = tuple(s * body.head_half for s in size)
        a.ball(body.face(x, y, z), (extent[0], extent[1], extent[2]), look, turn=body.gaze)

    a.rod(body.trunk(0, body.tall * 0.29, 0), body.face(0, 0, 0), body.head_half * 0.48, skin)
    ball(0, 0, 0, (0.76, 1.0, 0.86), skin)
    ball(0, -0.1, 0.84, (0.12, 0.2, 0.16), skin)
    ball(0, -0.46, 0.72, (0.24, 0.06, 0.1), lips)
    for side in SIDES.values():
        ball(side * 0.3, 0.1, 0.74, (0.11, 0.07, 0.08), dark)
    half = body.head_half
    cap = (half * 0.84, half * 0.98, half * 0.86)
    a.ball(body.face(0, 0.12, -0.14), cap, hair, cut=(0.05, 1.0), turn=body.gaze)
    ball(0, -0.02, -0.3, (0.78, 0.9, 0.68), hair)
    long = draw.chance(0.35, 1)[:, 0]
    a.ball(body.face(0, -0.6, -0.45), (half * 0.7, half, half * 0.4), hair, turn=body.gaze, where=long)
    hat = draw.chance(0.18, 1)[:, 0]
    brim = (half * 0.9, half * 0.75, half)
    a.ball(body.face(0, 0.4, -0.05), brim, mat.cloth(draw), cut=(0.0, 1.0), turn=body.gaze, where=hat)
