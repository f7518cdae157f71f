"""From a list of what stands where to solids: build, scale, drop what collides, pack."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from visionrouter.benchmarks.scenes import materials as mat
from visionrouter.benchmarks.scenes.draw import Draw
from visionrouter.benchmarks.scenes.scene import Parts
from visionrouter.benchmarks.scenes.textures import MATERIAL_SIZE, Slot
from visionrouter.benchmarks.scenes.things import KINDS
from visionrouter.benchmarks.scenes.vocabulary import CLASS_ID, COLOUR_NAMES
from visionrouter.benchmarks.scenes.worlds.plan import Plan

FIELDS = ("kind", "centre", "rotation", "half_size", "shape", "material")


@dataclass
class Furniture:
    """The outcome: objects that stayed, and their parts in object frames."""

    class_id: Tensor
    colour: Tensor
    keypoints: Tensor
    parts: Parts


def furnish(
    draw: Draw, plan: Plan, extra: Parts | None, ood: bool, eye: Tensor, clearance: float
) -> Furniture:
    """Build the plan. `extra` are parts of stuff (B, E), `eye` (B, 3) is kept free by `clearance` metres."""
    b, k = plan.class_id.shape
    flat = plan.class_id.flatten()
    keys = torch.stack([draw.fork(slot).keys for slot in range(k)], 1).flatten()
    colour = torch.full((b * k,), -1)
    keypoints = torch.full((b * k, 17, 3), torch.nan)
    low, high = torch.full((b * k, 3), 1e3), torch.full((b * k, 3), -1e3)
    pieces: list[dict[str, Tensor]] = []
    for name, kind in KINDS.items():
        index = (flat == CLASS_ID[name]).nonzero()[:, 0]
        n = len(index)
        if n == 0:
            continue
        own = Draw(keys[index])
        names = [COLOUR_NAMES.index(c) for c in (kind.colours or COLOUR_NAMES)]
        painted = torch.tensor(names)[own.integer(len(names), 1)[:, 0]]
        wild = own.chance(kind.wild, 1)[:, 0]
        main = mat.painted(own, painted, wild, ood, kind.size_m)
        assembly = kind.build(own, main)
        solid = assembly.stacked()
        size = plan.scale.flatten()[index]
        solid["centre"] = solid["centre"] * size[:, None, None]
        solid["half_size"] = solid["half_size"] * size[:, None, None]
        solid["material"][..., Slot.FREQUENCY] /= size[:, None]
        if assembly.keypoints is not None:
            keypoints[index] = assembly.keypoints * size[:, None, None]
        if kind.colours is not None:
            colour[index] = torch.where(wild, -1, painted)
        low[index], high[index] = _extent(solid)
        m = solid["kind"].shape[1]
        solid["object"] = index[:, None].expand(n, m)
        pieces.append({key: value.flatten(0, 1) for key, value in solid.items()})
    _stand_on_parents(plan, high.view(b, k, 3)[..., 1])
    alive = _settle(plan, low.view(b, k, 3), high.view(b, k, 3), eye, clearance)
    keep = alive.flatten()
    return Furniture(
        torch.where(alive, plan.class_id, -1),
        torch.where(keep, colour, -1).view(b, k),
        torch.where(keep[:, None, None], keypoints, torch.nan).view(b, k, 17, 3),
        _pack(pieces, plan.class_id, keep, extra),
    )


def _extent(solid: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Corners (n, 3) of the cuboid round all solids of each instance, in its own frame."""
    reach = (solid["rotation"].abs() * solid["half_size"][..., None, :]).sum(-1)
    there = (solid["kind"] >= 0)[..., None]
    low = torch.where(there, solid["centre"] - reach, 1e3).amin(1)
    high = torch.where(there, solid["centre"] + reach, -1e3).amax(1)
    return low, high


HIGHEST_SHELF_M = 1.45


def _stand_on_parents(plan: Plan, top: Tensor) -> None:
    """Lift what stands on something to its top (B, K), and drop what would stand out of reach."""
    below = plan.parent.clamp_min(0)
    height = (plan.position[..., 1] + top).gather(1, below)
    carried = plan.parent >= 0
    plan.position[..., 1] = torch.where(carried, plan.position[..., 1] + height, plan.position[..., 1])
    plan.class_id = torch.where(carried & (height > HIGHEST_SHELF_M), -1, plan.class_id)


def _settle(plan: Plan, low: Tensor, high: Tensor, eye: Tensor, clearance: float) -> Tensor:
    """(B, K) bool: which objects stay. Two collide where their upright cuboids overlap (separating axes)."""
    b, k = plan.class_id.shape
    low = torch.cat([low, torch.tensor([-clearance, -clearance, -clearance]).expand(b, 1, 3)], 1)
    high = torch.cat([high, torch.tensor([clearance, clearance, clearance]).expand(b, 1, 3)], 1)
    heading = torch.cat([plan.heading, torch.zeros(b, 1)], 1)
    place = torch.cat([plan.position, eye[:, None]], 1)
    half, middle = (high - low) / 2 * 0.94, (high + low) / 2
    cos, sin = heading.cos(), heading.sin()
    x = place[..., 0] + cos * middle[..., 0] + sin * middle[..., 2]
    z = place[..., 2] - sin * middle[..., 0] + cos * middle[..., 2]
    y = place[..., 1] + middle[..., 1]
    axis = torch.stack([torch.stack([cos, -sin], -1), torch.stack([sin, cos], -1)], 2)
    reach = torch.stack([half[..., 0], half[..., 2]], -1)
    apart = (y[:, :, None] - y[:, None]).abs() > half[..., 1][:, :, None] + half[..., 1][:, None]
    gap = torch.stack([x[:, None] - x[:, :, None], z[:, None] - z[:, :, None]], -1)
    for which in range(2):
        a = axis[:, :, which]
        distance = (gap[..., 0] * a[:, :, None, 0] + gap[..., 1] * a[:, :, None, 1]).abs()
        other = torch.zeros_like(distance)
        for side in range(2):
            e = axis[:, :, side]
            lean = a[:, :, None, 0] * e[:, None, :, 0] + a[:, :, None, 1] * e[:, None, :, 1]
            other = other + lean.abs() * reach[:, None, :, side]
        separate = distance > other + reach[:, :, None, which]
        apart = apart | separate | separate.transpose(1, 2)
    alive = torch.cat([plan.class_id >= 0, torch.ones(b, 1, dtype=torch.bool)], 1)
    order = [k, *range(k)]
    done: list[int] = []
    for slot in order:
        if done:
            clash = (~apart[:, slot, done] & alive[:, done]).any(1)
            alive[:, slot] &= ~clash
        if slot < k:
            parent = plan.parent[:, slot]
            carried = alive[torch.arange(b), parent.clamp_min(0)] | (parent < 0)
            alive[:, slot] &= carried
        done.append(slot)
    return alive[:, :k]


def _pack(pieces: list[dict[str, Tensor]], class_id: Tensor, keep: Tensor, extra: Parts | None) -> Parts:
    """Parts of kept objects as (B, P), ordered by slot, then as built; the extra parts come last."""
    b, k = class_id.shape
    joined = {key: torch.cat([p[key] for p in pieces]) for key in pieces[0]} if pieces else {}
    tensors: dict[str, Tensor]
    if joined:
        there = ((joined["kind"] >= 0) & keep[joined["object"]]).nonzero()[:, 0]
        there = there[torch.argsort(joined["object"][there], stable=True)]
        joined = {key: value[there] for key, value in joined.items()}
        scene = joined["object"] // k
        count = torch.bincount(scene, minlength=b)
        seat = torch.arange(len(scene)) - (count.cumsum(0) - count)[scene]
        length = int(count.max())
    else:
        scene = seat = torch.zeros(0, dtype=torch.int64)
        length = 0
        joined = {"object": scene}
    shapes = {
        "kind": (),
        "centre": (3,),
        "rotation": (3, 3),
        "half_size": (3,),
        "shape": (4,),
        "material": (MATERIAL_SIZE,),
    }
    tensors = {
        key: torch.full((b, length), -1) if key == "kind" else torch.zeros(b, length, *shape)
        for key, shape in shapes.items()
    }
    tensors["half_size"] += 1
    for key, value in tensors.items():
        if key in joined:
            value[scene, seat] = joined[key]
    owner = torch.full((b, length), -1)
    owner[scene, seat] = joined["object"] % k
    part_class = torch.where(owner >= 0, class_id.gather(1, owner.clamp_min(0)), -1)
    parts = Parts(owner=owner, class_id=part_class, **tensors)
    if extra is None:
        return parts
    return Parts(
        **{
            name: torch.cat([getattr(parts, name), getattr(extra, name)], 1)
            for name in (*FIELDS, "owner", "class_id")
        }
    )


def stuff_parts(class_id: list[Tensor], solids: dict[str, Tensor]) -> Parts:
    """Parts of no object from an assembly of B instances; class_id: one (B,) tensor a part."""
    ids = torch.stack(class_id, 1)
    return Parts(owner=torch.full_like(ids, -1), class_id=ids, **{name: solids[name] for name in FIELDS})
