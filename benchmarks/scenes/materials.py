"""Materials as vectors of `textures.MATERIAL_SIZE` numbers, drawn for n instances at once."""

from __future__ import annotations

import torch
from torch import Tensor

from visionrouter.benchmarks.scenes.draw import Draw
from visionrouter.benchmarks.scenes.textures import MATERIAL_SIZE, Pattern, Slot
from visionrouter.benchmarks.scenes.vocabulary import COLOURS

PALETTE = torch.tensor(list(COLOURS.values()))
RGB = tuple[float, float, float]


def material(
    first: Tensor | RGB,
    n: int,
    *,
    second: Tensor | RGB | None = None,
    pattern: int | Tensor = Pattern.PLAIN,
    frequency: float | Tensor = 4.0,
    phase: float | Tensor = 0.0,
    specular: float | Tensor = 0.0,
    gloss: float = 30.0,
    emission: float | Tensor = 0.0,
    mottle: float | Tensor = 0.12,
    mirror: float | Tensor = 0.0,
    bump: float | Tensor = 0.0,
) -> Tensor:
    """(n, MATERIAL_SIZE). Colours are (3,) or (n, 3) sRGB; the rest floats or (n,)."""
    out = torch.zeros(n, MATERIAL_SIZE)
    out[:, 0:3] = torch.as_tensor(first).clamp(0.01, 0.99)
    out[:, 3:6] = out[:, 0:3] * 0.7 if second is None else torch.as_tensor(second).clamp(0.01, 0.99)
    out[:, Slot.PATTERN] = torch.as_tensor(pattern, dtype=torch.float32)
    out[:, Slot.FREQUENCY] = torch.as_tensor(frequency)
    out[:, Slot.PHASE] = torch.as_tensor(phase)
    out[:, Slot.SPECULAR] = torch.as_tensor(specular)
    out[:, Slot.GLOSS] = gloss
    out[:, Slot.EMISSION] = torch.as_tensor(emission)
    out[:, Slot.MOTTLE] = torch.as_tensor(mottle)
    out[:, Slot.MIRROR] = torch.as_tensor(mirror)
    out[:, Slot.BUMP] = torch.as_tensor(bump)
    return out


def jitter(draw: Draw, colour: Tensor | RGB, amount: float) -> Tensor:
    """(n, 3): a colour (3,) or (n, 3) moved at random, brightness more than hue."""
    base = torch.as_tensor(colour)
    return (base * draw.uniform(1 - 2 * amount, 1 + 2 * amount, 1) + draw.uniform(-amount, amount, 3)).clamp(
        0.02, 0.98
    )


def between(draw: Draw, low: RGB, high: RGB, amount: float = 0.03) -> Tensor:
    """(n, 3): a colour on the line between two, with jitter."""
    a, b = torch.tensor(low), torch.tensor(high)
    return jitter(draw, a + (b - a) * draw.unit(1), amount)


def named(draw: Draw, colour: Tensor) -> Tensor:
    """(n, 3) shades of the named colours (n,) int64, close enough to keep their names."""
    base = PALETTE.to(colour.device)[colour]
    return (base * draw.uniform(0.85, 1.12, 1) + draw.uniform(-0.035, 0.035, 3)).clamp(0.02, 0.97)


SURFACE_PATTERNS = (
    Pattern.PLAIN,
    Pattern.STRIPES,
    Pattern.CHECKS,
    Pattern.WOOD,
    Pattern.BRICK,
    Pattern.FABRIC,
    Pattern.CAMOUFLAGE,
    Pattern.NOISE,
    Pattern.DOTS,
    Pattern.TILES,
    Pattern.MARBLE,
    Pattern.PLAID,
)
HELD_OUT_PATTERNS = (Pattern.ZIGZAG, Pattern.RINGS)


def painted(draw: Draw, colour: Tensor, wild: Tensor, ood: bool, size_m: float) -> Tensor:
    """(n, MATERIAL_SIZE): the main surface of an object. Mostly its named colour, plain or with a pattern of
    two shades; where `wild` (n,) any pattern of any two colours. `size_m` sets the scale of the pattern."""
    n = len(draw)
    main = named(draw, colour)
    kinds = HELD_OUT_PATTERNS if ood else SURFACE_PATTERNS
    table = torch.tensor([int(k) for k in kinds], dtype=torch.float32)
    any_kind = table[draw.integer(len(kinds), 1)[:, 0]]
    patterned = draw.chance(0.9 if ood else 0.22, 1)[:, 0] | wild
    shade = (main * draw.uniform(0.62, 0.85, 1)).clamp(0, 1)
    return material(
        torch.where(wild[:, None], draw.uniform(0.05, 0.95, 3), main),
        n,
        second=torch.where(wild[:, None], draw.uniform(0.05, 0.95, 3), shade),
        pattern=torch.where(patterned, any_kind, 0.0),
        frequency=draw.log_uniform(2.0, 12.0, 1)[:, 0] / size_m,
        phase=draw.uniform(0, 100, 1)[:, 0],
        specular=draw.uniform(0, 0.4, 1)[:, 0] * draw.chance(0.6, 1)[:, 0],
        mottle=draw.uniform(0.02, 0.25, 1)[:, 0],
    )


def wood(draw: Draw) -> Tensor:
    """Planks and furniture."""
    base = between(draw, (0.30, 0.18, 0.09), (0.78, 0.60, 0.40))
    return material(
        base,
        len(draw),
        second=base * 0.62,
        pattern=Pattern.WOOD,
        frequency=draw.uniform(3, 9, 1)[:, 0],
        phase=draw.uniform(0, 100, 1)[:, 0],
        specular=draw.uniform(0, 0.25, 1)[:, 0],
    )


def metal(draw: Draw) -> Tensor:
    """Bare or painted grey metal."""
    grey = draw.uniform(0.18, 0.7, 1) + draw.uniform(-0.02, 0.02, 3)
    return material(grey, len(draw), specular=0.6, gloss=50.0, mirror=0.15, mottle=0.06)


def rubber(draw: Draw) -> Tensor:
    """Tyres and soles."""
    return material(between(draw, (0.03, 0.03, 0.03), (0.12, 0.12, 0.12), 0.01), len(draw), specular=0.1)


def glass(draw: Draw) -> Tensor:
    """Windows: dark with a reflection."""
    tint = between(draw, (0.06, 0.08, 0.10), (0.22, 0.27, 0.30), 0.02)
    return material(tint, len(draw), specular=0.9, gloss=90.0, mirror=0.4, mottle=0.02)


def leaves(draw: Draw) -> Tensor:
    """Foliage."""
    base = between(draw, (0.16, 0.30, 0.09), (0.50, 0.56, 0.24), 0.05)
    autumn = between(draw, (0.55, 0.22, 0.06), (0.75, 0.55, 0.12), 0.04)
    base = torch.where(draw.chance(0.12, 1), autumn, base)
    return material(
        base,
        len(draw),
        second=base * 0.3,
        pattern=Pattern.NOISE,
        frequency=draw.uniform(2, 7, 1)[:, 0],
        phase=draw.uniform(0, 100, 1)[:, 0],
        mottle=0.7,
        bump=draw.uniform(0.8, 1.8, 1)[:, 0],
    )


def bark(draw: Draw) -> Tensor:
    """Trunks."""
    base = between(draw, (0.16, 0.11, 0.07), (0.45, 0.38, 0.30))
    return material(
        base, len(draw), second=base * 0.5, pattern=Pattern.NOISE, frequency=12.0, mottle=0.4, bump=0.4
    )


def skin(draw: Draw) -> Tensor:
    """Skin tones from dark to light."""
    tone = between(draw, (0.24, 0.14, 0.09), (0.92, 0.74, 0.62), 0.02)
    return material(tone, len(draw), specular=0.08, mottle=0.05)


def cloth(draw: Draw, ood: bool = False) -> Tensor:
    """Clothing and upholstery in any colour, often subdued, often patterned."""
    vivid = PALETTE.to(draw.keys.device)[draw.integer(len(PALETTE), 1)[:, 0]]
    dull = draw.uniform(0.06, 0.6, 1) + draw.uniform(-0.06, 0.06, 3)
    return painted_like(draw, torch.where(draw.chance(0.5, 1), vivid, dull), 0.35, ood)


def painted_like(draw: Draw, colour: Tensor, share: float, ood: bool = False) -> Tensor:
    """A fabric of the given colour (n, 3), patterned with probability `share`."""
    fabrics = (
        HELD_OUT_PATTERNS
        if ood
        else (
            Pattern.STRIPES,
            Pattern.CHECKS,
            Pattern.FABRIC,
            Pattern.DOTS,
            Pattern.PLAID,
            Pattern.CAMOUFLAGE,
            Pattern.NOISE,
        )
    )
    table = torch.tensor([int(k) for k in fabrics], dtype=torch.float32)
    kind = table[draw.integer(len(fabrics), 1)[:, 0]]
    base = jitter(draw, colour, 0.04)
    return material(
        base,
        len(draw),
        second=(base * draw.uniform(0.5, 0.85, 1) + draw.uniform(-0.03, 0.03, 3)),
        pattern=torch.where(draw.chance(share, 1)[:, 0], kind, 0.0),
        frequency=draw.log_uniform(5, 40, 1)[:, 0],
        phase=draw.uniform(0, 100, 1)[:, 0],
        mottle=draw.uniform(0.05, 0.25, 1)[:, 0],
        bump=draw.uniform(0, 0.25, 1)[:, 0],
    )


def plaster(draw: Draw) -> Tensor:
    """Facades and walls: plaster, brick, concrete, tiles, wallpaper."""
    pale = between(draw, (0.55, 0.50, 0.45), (0.94, 0.92, 0.88), 0.05)
    tinted = draw.uniform(0.3, 0.9, 3)
    brick = between(draw, (0.40, 0.18, 0.12), (0.68, 0.42, 0.30), 0.04)
    which = draw.choose([0.5, 0.2, 0.3], 1)
    base = torch.where(which == 0, pale, torch.where(which == 1, tinted, brick))
    patterns = torch.tensor([Pattern.PLAIN, Pattern.NOISE, Pattern.TILES, Pattern.BRICK], dtype=torch.float32)
    pattern = torch.where(
        which[:, 0] == 2, float(Pattern.BRICK), patterns[draw.choose([0.6, 0.2, 0.1, 0.1], 1)[:, 0]]
    )
    return material(
        base,
        len(draw),
        second=base * draw.uniform(0.7, 1.25, 1),
        pattern=pattern,
        frequency=draw.uniform(3, 9, 1)[:, 0],
        phase=draw.uniform(0, 100, 1)[:, 0],
        mottle=draw.uniform(0.04, 0.25, 1)[:, 0],
    )
