"""From surfaces to linear light: textures, lamps, shadows, contact shade, reflection, sky, haze."""

from __future__ import annotations

import torch
from torch import Tensor

from visionrouter.benchmarks.scenes.intersect import Vec, dot
from visionrouter.benchmarks.scenes.scene import Environment
from visionrouter.benchmarks.scenes.surface import Surface
from visionrouter.benchmarks.scenes.textures import Pattern, Slot, fractal, pattern_mix, value_noise


def _per_scene(values: Tensor) -> tuple[Tensor, ...]:
    """(B, n) to n tensors (B, 1, 1)."""
    return tuple(v[:, None, None] for v in values.unbind(-1))


def albedo_and_normal(
    material: Tensor, local: Vec, u: Tensor, v: Tensor, normal: Vec, footprint_m: Tensor
) -> tuple[Vec, Vec]:
    """Linear reflectance and bumped normal. material: (16, B, H, W); footprint_m: size of a pixel there, which
    blurs patterns finer than it."""
    frequency, phase = material[Slot.FREQUENCY], material[Slot.PHASE]
    pattern = material[Slot.PATTERN]
    p = Vec(*(c * frequency + phase for c in local))
    coarse = fractal(p, 2)
    grain = Vec(p.x * 3.7 + 9.1, p.y * 3.7, p.z * 3.7)
    fine = fractal(grain, 2)
    sharp = 1 / (1 + (2.0 * footprint_m * frequency) ** 2)
    share = pattern_mix(pattern, p, u * frequency + phase, v * frequency + phase * 0.37, coarse, fine)
    dash = (u.abs() < 0.08) & (v / 6 - (v / 6).floor() > 0.5) | ((u.abs() - phase + 0.3).abs() < 0.07)
    lanes = dash.float() / (1 + (footprint_m * 4) ** 2)
    share = torch.where(pattern == int(Pattern.LANES), lanes, 0.5 + (share - 0.5) * sharp)
    share = torch.where(pattern == int(Pattern.PLAIN), 0.0, share)
    mottle = 1 + material[Slot.MOTTLE] * (1.4 * (coarse - 0.5) + 1.2 * (fine - 0.5) * sharp)
    colour = Vec(*((a + (c - a) * share) * mottle for a, c in zip(material[0:3], material[3:6], strict=True)))
    colour = Vec(*(c.clamp(0, 1) ** 2.2 for c in colour))
    bump = material[Slot.BUMP] * sharp
    tx = value_noise(Vec(p.x * 4 + 31.7, p.y * 4, p.z * 4)) - 0.5
    tz = value_noise(Vec(p.x * 4, p.y * 4 + 57.1, p.z * 4)) - 0.5
    bent = Vec(normal.x + bump * tx * 2, normal.y + bump * (fine - 0.5) * 2, normal.z + bump * tz * 2)
    length = dot(bent, bent).clamp_min(1e-12).sqrt()
    return colour, Vec(bent.x / length, bent.y / length, bent.z / length)


def sky_gradient(environment: Environment, up: Tensor) -> list[Tensor]:
    """Linear colour of the clear sky for the vertical component of unit directions; ground colour below."""
    rise = up.clamp(0, 1) ** 0.6
    fall = (-up * 4).clamp(0, 1)
    return [
        (h + (z - h) * rise) * (1 - fall) + g * fall
        for h, z, g in zip(
            _per_scene(environment.horizon),
            _per_scene(environment.zenith),
            _per_scene(environment.ambient_down),
            strict=True,
        )
    ]


def sky(environment: Environment, ray: Vec) -> list[Tensor]:
    """Linear colour of the sky with clouds and the sun's glow."""
    length = dot(ray, ray).sqrt()
    d = Vec(ray.x / length, ray.y / length, ray.z / length)
    cover, scale, phase = _per_scene(environment.clouds)
    lift = scale / (d.y.clamp_min(0) + 0.12)
    density = fractal(Vec(d.x * lift + phase, phase * 0.3 + 0 * d.y, d.z * lift), 4)
    cloud = ((density - 0.78 + 0.5 * cover) * 5).clamp(0, 1) * (cover > 0.05) * (d.y * 8).clamp(0, 1)
    light = Vec(*_per_scene(environment.key_light[:, :3]))
    towards = dot(d, light).clamp(0, 1)
    glow = 0.25 * towards**8 + 1.5 * towards**400
    shade = 0.75 + 0.25 * (1 - density)
    return [
        (clear + (h * 0.4 + 0.6 * a * 1.6 + 0.25 * k - clear) * cloud * shade) + glow * k * (1 - 0.7 * cloud)
        for clear, h, a, k in zip(
            sky_gradient(environment, d.y),
            _per_scene(environment.horizon),
            _per_scene(environment.ambient_up),
            _per_scene(environment.key_colour),
            strict=True,
        )
    ]


def key_direction(environment: Environment, position: Vec) -> tuple[Vec, Tensor, Tensor]:
    """Unit direction to the key light, its distance in metres, and its fall-off."""
    x, y, z, lamp = _per_scene(environment.key_light)
    is_lamp = lamp > 0.5
    towards = Vec(*(torch.where(is_lamp, a - p, a) for a, p in zip((x, y, z), position, strict=True)))
    length = dot(towards, towards).clamp_min(1e-8).sqrt()
    fall = torch.where(is_lamp, 1 / length.clamp_min(0.7) ** 2, 1.0)
    return Vec(*(c / length for c in towards)), torch.where(is_lamp, length, 1e6), fall


def illuminate(
    environment: Environment,
    surface: Surface,
    ray: Vec,
    albedo: Vec,
    normal: Vec,
    lit: Tensor,
    openness: Tensor,
) -> list[Tensor]:
    """Linear light to the camera. lit: share of the key light that arrives, openness: of the ambient."""
    material = surface.material
    towards, _, fall = key_direction(environment, surface.position)
    lambert = dot(normal, towards).clamp_min(0) * lit * fall
    fill = dot(normal, Vec(*_per_scene(environment.fill_light))).clamp_min(0) * openness
    length = dot(ray, ray).sqrt()
    view = Vec(-ray.x / length, -ray.y / length, -ray.z / length)
    half = Vec(view.x + towards.x, view.y + towards.y, view.z + towards.z)
    half_length = dot(half, half).clamp_min(1e-8).sqrt()
    facing = (dot(normal, half) / half_length).clamp_min(0)
    highlight = material[Slot.SPECULAR] * torch.exp(material[Slot.GLOSS] * torch.log(facing.clamp_min(1e-4)))
    highlight = highlight * (lit * fall * (dot(normal, towards) > 0))
    cosine = dot(normal, view).clamp(0, 1)
    mirror = material[Slot.MIRROR] * (0.3 + 0.7 * (1 - cosine) ** 3)
    bounce_y = 2 * cosine * normal.y - view.y
    upward = 0.5 + 0.5 * normal.y
    haze = 1 - torch.exp(-_per_scene(environment.haze[:, None])[0] * surface.distance.clamp_max(1e5))
    out = []
    for a, key, second, up, down, reflected, far in zip(
        albedo,
        _per_scene(environment.key_colour),
        _per_scene(environment.fill_colour),
        _per_scene(environment.ambient_up),
        _per_scene(environment.ambient_down),
        sky_gradient(environment, bounce_y),
        _per_scene(environment.horizon),
        strict=True,
    ):
        ambient = (down + (up - down) * upward) * openness
        light = a * (ambient + key * lambert + second * fill)
        light = light + (reflected * openness - light) * mirror + key * highlight
        light = light + a * material[Slot.EMISSION] * 1.2
        out.append(light + (far - light) * haze)
    return out


def contact_shade(distance: Tensor, position: Vec, normal: Vec, sky_mask: Tensor, focal_px: Tensor) -> Tensor:
    """Ambient occlusion from the depth buffer: (B, H, W) in (0, 1], 1 is open. Eight neighbours at two radii
    darken a point by how far they rise above its tangent plane."""
    h, w = distance.shape[1:]
    total = torch.zeros_like(distance)
    stacked = torch.stack([*position, torch.where(sky_mask, 1e6, distance)], 1)
    for share, turn in ((0.012, 0), (0.04, 1)):
        r = max(1, round(share * h))
        d = max(1, round(0.7 * r))
        offsets = ((r, 0), (-r, 0), (0, r), (0, -r)) if turn == 0 else ((d, d), (-d, d), (d, -d), (-d, -d))
        limit = 2.0 * r * distance.clamp_max(1e4) / focal_px[:, None, None]
        padded = torch.nn.functional.pad(stacked, (r, r, r, r), mode="replicate")
        for dy, dx in offsets:
            near = padded[:, :, r + dy : r + dy + h, r + dx : r + dx + w]
            gap = Vec(near[:, 0] - position.x, near[:, 1] - position.y, near[:, 2] - position.z)
            length = dot(gap, gap).clamp_min(1e-10).sqrt()
            rise = (dot(gap, normal) / length - 0.12).clamp_min(0)
            total = total + rise * (1 - length / limit).clamp(0, 1) * (near[:, 3] < 1e5)
    return torch.where(sky_mask, 1.0, (1 - 0.42 * total).clamp(0.15, 1))


def soften(lit: Tensor, distance: Tensor, radius: Tensor) -> Tensor:
    """Blur shadows along surfaces of like depth. radius: (B,) pixels of half width, up to 8 are used."""
    h, w = lit.shape[1:]
    out = lit
    for step in (1, 2, 4):
        use = (radius[:, None, None] / step).clamp(0, 1)
        padded = torch.nn.functional.pad(torch.stack([out, distance], 1), (step,) * 4, mode="replicate")
        total, weight = out.clone(), torch.ones_like(out)
        for dy, dx in ((0, step), (0, -step), (step, 0), (-step, 0)):
            near = padded[:, :, step + dy : step + dy + h, step + dx : step + dx + w]
            alike = ((near[:, 1] - distance).abs() < 0.03 * distance) * use
            total, weight = total + near[:, 0] * alike, weight + alike
        out = total / weight
    return out
