"""Persons with exact COCO-17 keypoints from the limb geometry."""

from __future__ import annotations

import torch
from torch import Tensor

from visionrouter.benchmarks.scenes import materials as mat
from visionrouter.benchmarks.scenes.camera import matmul, rotate, rotation_x, rotation_y, rotation_z
from visionrouter.benchmarks.scenes.draw import Draw
from visionrouter.benchmarks.scenes.shapes import Assembly, stack
from visionrouter.benchmarks.scenes.things.vehicles import scalar
from visionrouter.benchmarks.scenes.vocabulary import KEYPOINTS

STANDING, WALKING, SITTING, REACHING, CROUCHING = range(5)


def _limb(root: Tensor, swing: Tensor, spread: Tensor, bend: Tensor, upper: Tensor, lower: Tensor) -> tuple[Tensor, Tensor]:
    """Middle and end joint (n, 3) of a two-bone limb that hangs from `root`. Angles in radians: `swing`
    forwards about x, `spread` sideways about z, `bend` of the second bone relative to the first."""
    n = len(root)
    first = matmul(rotation_z(spread), rotation_x(-swing))
    second = matmul(first, rotation_x(-bend))
    down = torch.tensor([0.0, -1.0, 0.0]).expand(n, 3)
    middle = root + rotate(first, down) * upper[:, None]
    return middle, middle + rotate(second, down) * lower[:, None]


def person(draw: Draw, main: Tensor) -> Assembly:
    """A child or adult who stands, walks, sits, reaches or crouches. The main colour is the upper garment's."""
    n = len(draw)
    a = Assembly(n)
    tall = torch.where(draw.chance(0.15, 1), draw.uniform(1.05, 1.45, 1), draw.uniform(1.52, 1.95, 1))[:, 0]
    build = scalar(draw, 0.85, 1.25)
    pose = draw.choose([0.35, 0.35, 0.12, 0.12, 0.06], 1)[:, 0]
    skin, hair, shoes = mat.skin(draw), _hair(draw), mat.cloth(draw)
    trousers = mat.cloth(draw)
    short_sleeves, shorts = draw.chance(0.4, 1), draw.chance(0.25, 1)
    sleeve = torch.where(short_sleeves, skin, main)
    shin_cover = torch.where(shorts, skin, trousers)
    sitting, crouching = pose == SITTING, pose == CROUCHING
    folded = sitting | crouching

    thigh, shin = tall * 0.245, tall * 0.235
    arm, forearm = tall * 0.172, tall * 0.155
    stride = torch.where(pose == WALKING, scalar(draw, 0.25, 0.75) * draw.sign(1)[:, 0], scalar(draw, -0.08, 0.08))
    zero = torch.zeros(n)
    legs, arms = {}, {}
    hip_wide, shoulder_wide = tall * 0.052 * build, tall * 0.115 * (0.8 + 0.2 * build)
    swing_of, bend_of = {}, {}
    for side in (-1.0, 1.0):
        swing = stride * side
        bend = torch.where(pose == WALKING, -scalar(draw, 0.05, 0.9) * (side * stride < 0), -scalar(draw, 0.0, 0.08))
        swing_of[side] = torch.where(sitting, scalar(draw, 1.3, 1.6), torch.where(crouching, scalar(draw, 1.5, 2.0), swing))
        bend_of[side] = torch.where(sitting, -scalar(draw, 1.2, 1.7), torch.where(crouching, -scalar(draw, 2.0, 2.5), bend))
    reach = [thigh * torch.cos(swing_of[s]) + shin * torch.cos(swing_of[s] + bend_of[s]) for s in (-1.0, 1.0)]
    ankle_height = tall * 0.042
    pelvis = torch.maximum(*reach) + ankle_height
    lean = torch.where(crouching, scalar(draw, 0.3, 0.7), scalar(draw, -0.06, 0.14))
    spine = matmul(rotation_y(scalar(draw, -0.25, 0.25)), rotation_x(lean))
    base = stack(n, zero, pelvis, zero)

    def up(x: Tensor | float, y: Tensor | float, z: Tensor | float) -> Tensor:
        """A point of the trunk's frame, whose origin is the pelvis."""
        return base + rotate(spine, stack(n, x, y, z))

    for side in (-1.0, 1.0):
        spread = side * scalar(draw, 0.0, 0.12)
        hip = stack(n, side * hip_wide, pelvis, zero)
        legs[side] = (hip, *_limb(hip, swing_of[side], spread, bend_of[side], thigh, shin))
        raised = (pose == REACHING) | draw.chance(0.12, 1)[:, 0]
        swing = torch.where(raised, scalar(draw, 0.3, 2.9), torch.where(folded, scalar(draw, 0.2, 1.1), -stride * side * 0.8))
        spread = side * torch.where(raised, scalar(draw, 0.0, 1.3), scalar(draw, 0.05, 0.35))
        bend = torch.where(raised, scalar(draw, 0.0, 1.6), scalar(draw, 0.05, 1.1))
        shoulder = up(side * shoulder_wide, tall * 0.288, 0.0)
        arms[side] = (shoulder, *_limb(shoulder, swing + lean, spread, bend, arm, forearm))

    neck, crown = up(zero, tall * 0.31, zero), None
    look = matmul(spine, matmul(rotation_y(scalar(draw, -0.6, 0.6)), rotation_x(scalar(draw, -0.25, 0.4))))
    head_half = tall * 0.036 + 0.062

    def face(x: float, y: float, z: float) -> Tensor:
        """A point of the head in units of its half height."""
        centre = neck + rotate(spine, stack(n, zero, head_half * 1.15, head_half * 0.1))
        return centre + rotate(look, stack(n, x * head_half, y * head_half, z * head_half))

    crown = face(0.0, 0.0, 0.0)
    thick = tall * 0.04 * build
    for side in (-1.0, 1.0):
        hip, knee, ankle = legs[side]
        a.rod(hip, knee, thick * 1.25, trousers, top=0.72, bulge=0.12)
        a.rod(knee, ankle, thick * 0.88, shin_cover, top=0.62, bulge=0.2)
        a.ball(tuple(knee.unbind(-1)), (thick * 0.92, thick * 0.92, thick * 0.92), shin_cover)
        foot = ankle.unbind(-1)
        a.ball((foot[0], foot[1] - ankle_height * 0.35, foot[2] + tall * 0.035), (tall * 0.026, tall * 0.026, tall * 0.075), shoes)
        shoulder, elbow, wrist = arms[side]
        a.ball(tuple(shoulder.unbind(-1)), (thick * 0.9, thick * 0.9, thick * 0.9), main)
        a.rod(shoulder, elbow, thick * 0.82, main, top=0.78)
        a.rod(elbow, wrist, thick * 0.64, sleeve, top=0.62, bulge=0.12)
        hand = wrist + (wrist - elbow) * 0.22
        a.ball(tuple(hand.unbind(-1)), (thick * 0.5, thick * 0.7, thick * 0.6), skin)
    chest = up(zero, tall * 0.2, zero).unbind(-1)
    a.spindle(
        tuple(chest), (shoulder_wide * 0.82, tall * 0.125, tall * 0.062 * build), main, top=1.18, bulge=0.15, turn=spine
    )
    a.ball(tuple(up(zero, tall * 0.29, zero).unbind(-1)), (shoulder_wide * 1.0, tall * 0.05, tall * 0.055 * build), main, turn=spine)
    a.ball(tuple(up(zero, tall * 0.035, zero).unbind(-1)), (hip_wide * 2.0, tall * 0.075, tall * 0.066 * build), trousers, turn=spine)
    a.rod(up(zero, tall * 0.29, zero), crown, head_half * 0.48, skin)
    a.ball(tuple(crown.unbind(-1)), (head_half * 0.76, head_half, head_half * 0.86), skin, turn=look)
    a.ball(tuple(face(0, 0.12, -0.14).unbind(-1)), (head_half * 0.84, head_half * 0.98, head_half * 0.86), hair, cut=(0.05, 1.0), turn=look)
    a.ball(tuple(face(0, -0.02, -0.3).unbind(-1)), (head_half * 0.78, head_half * 0.9, head_half * 0.68), hair, turn=look)
    a.ball(tuple(face(0, -0.1, 0.84).unbind(-1)), (head_half * 0.12, head_half * 0.2, head_half * 0.16), skin, turn=look)
    dark = mat.material((0.06, 0.05, 0.05), n, specular=0.6)
    for side in (-1.0, 1.0):
        a.ball(tuple(face(side * 0.3, 0.1, 0.74).unbind(-1)), (head_half * 0.11, head_half * 0.07, head_half * 0.08), dark, turn=look)
    hat = draw.chance(0.18, 1)[:, 0]
    a.ball(tuple(face(0, 0.4, -0.05).unbind(-1)), (head_half * 0.9, head_half * 0.75, head_half), mat.cloth(draw), cut=(0.0, 1.0), turn=look, where=hat)
    skirt = draw.chance(0.18, 1)[:, 0] & ~folded
    middle = base - stack(n, zero, tall * 0.1, zero)
    a.spindle(tuple(middle.unbind(-1)), (tall * 0.14, tall * 0.15, tall * 0.12), trousers, top=0.62, where=skirt)
    pack = draw.chance(0.12, 1)[:, 0]
    a.box(
        tuple(up(zero, tall * 0.2, -tall * 0.105).unbind(-1)), (shoulder_wide * 0.7, tall * 0.12, tall * 0.05), mat.cloth(draw),
        taper=(0.2, 0.4), turn=spine, where=pack,
    )  # fmt: skip
    # the person faces +z, so its own left is at -x
    named = {
        "nose": face(0, -0.1, 0.95), "left_eye": face(-0.3, 0.1, 0.8), "right_eye": face(0.3, 0.1, 0.8),
        "left_ear": face(-0.76, 0.0, 0.0), "right_ear": face(0.76, 0.0, 0.0),
    }  # fmt: skip
    for name, side in (("left", -1.0), ("right", 1.0)):
        for joint, point in zip(("shoulder", "elbow", "wrist"), arms[side], strict=True):
            named[f"{name}_{joint}"] = point
        for joint, point in zip(("hip", "knee", "ankle"), legs[side], strict=True):
            named[f"{name}_{joint}"] = point
    a.keypoints = torch.stack([named[name] for name in KEYPOINTS], 1)
    return a


def _hair(draw: Draw) -> Tensor:
    tones = torch.tensor([[0.04, 0.03, 0.03], [0.20, 0.12, 0.06], [0.42, 0.28, 0.14], [0.80, 0.66, 0.38], [0.6, 0.6, 0.6]])
    tone = tones[draw.choose([0.35, 0.3, 0.15, 0.12, 0.08], 1)[:, 0]]
    return mat.material(mat.jitter(draw, tone, 0.03), len(draw), mottle=0.3, specular=0.15)
