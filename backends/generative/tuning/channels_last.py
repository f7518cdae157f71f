"""Group normalisation of channels-last activations on a GPU, where PyTorch's own goes through another layout and back.

Forward and backward each are one reduction to per-channel sums and one per-channel affine map, so that an activation
is read twice and written once. The statistics are kept in float32.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

try:
    import triton  # type: ignore[import-untyped, import-not-found, unused-ignore]
    import triton.language as tl  # type: ignore[import-untyped, import-not-found, unused-ignore]
except ImportError:  # no GPU build of PyTorch: the plain formulas below serve
    triton = None

_TILE = 4096
"""Values of one tile of a kernel."""
_PARTS = 16
"""Tiles' worth of programs that share the rows of one picture in a reduction."""


def sums(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Sums over the rows of `a` and of `a * b`. (B, N, C) -> two float32 (B, C)."""
    if triton is None or not _on_kernel_device(a):
        return a.float().sum(1), (a.float() * b.float()).sum(1)
    count, rows, channels = a.shape
    width = triton.next_power_of_2(channels)
    tile = max(1, _TILE // width)
    parts = min(_PARTS, triton.cdiv(rows, tile))
    chunk = triton.cdiv(triton.cdiv(rows, parts), tile) * tile
    out = torch.empty(2, count, parts, channels, dtype=torch.float32, device=a.device)
    _sums[(count, parts)](a, b, out[0], out[1], rows, channels, chunk, TILE=tile, WIDTH=width)
    total = out.sum(2)
    return total[0], total[1]


def affine(a: Tensor, b: Tensor, of_a: Tensor, of_b: Tensor, offset: Tensor) -> Tensor:
    """`a * of_a + b * of_b + offset` with one factor a picture and channel. (B, N, C) and float32 (B, C)."""
    if triton is None or not _on_kernel_device(a):
        return (a.float() * of_a[:, None] + b.float() * of_b[:, None] + offset[:, None]).to(a.dtype)
    count, rows, channels = a.shape
    width = triton.next_power_of_2(channels)
    tile = max(1, _TILE // width)
    out = torch.empty_like(a)
    factors = [factor.contiguous() for factor in (of_a, of_b, offset)]
    _affine[(count, triton.cdiv(rows, tile))](a, b, *factors, out, rows, channels, TILE=tile, WIDTH=width)
    return out


def _on_kernel_device(a: Tensor) -> bool:
    return a.is_cuda


if triton is not None:

    @triton.jit  # type: ignore[untyped-decorator]
    def _sums(a, b, total, dot, rows, channels, chunk, TILE: tl.constexpr, WIDTH: tl.constexpr):  # type: ignore[no-untyped-def]  # noqa: N803
        picture, part, parts = tl.program_id(0), tl.program_id(1), tl.num_programs(1)
        column = tl.arange(0, WIDTH)
        sum_a = tl.zeros((WIDTH,), tl.float32)
        sum_ab = tl.zeros((WIDTH,), tl.float32)
        for start in range(0, chunk, TILE):
            row = part * chunk + start + tl.arange(0, TILE)
            inside = (row < rows)[:, None] & (column < channels)[None, :]
            at = (picture * rows + row)[:, None] * channels + column[None, :]
            tile_a = tl.load(a + at, mask=inside, other=0.0).to(tl.float32)
            tile_b = tl.load(b + at, mask=inside, other=0.0).to(tl.float32)
            sum_a += tl.sum(tile_a, 0)
            sum_ab += tl.sum(tile_a * tile_b, 0)
        seat = (picture * parts + part) * channels + column
        tl.store(total + seat, sum_a, mask=column < channels)
        tl.store(dot + seat, sum_ab, mask=column < channels)

    @triton.jit  # type: ignore[untyped-decorator]
    def _affine(a, b, of_a, of_b, offset, out, rows, channels, TILE: tl.constexpr, WIDTH: tl.constexpr):  # type: ignore[no-untyped-def]  # noqa: N803
        picture, part = tl.program_id(0), tl.program_id(1)
        column = tl.arange(0, WIDTH)
        there = column < channels
        factor_a = tl.load(of_a + picture * channels + column, mask=there, other=0.0)[None, :]
        factor_b = tl.load(of_b + picture * channels + column, mask=there, other=0.0)[None, :]
        shift = tl.load(offset + picture * channels + column, mask=there, other=0.0)[None, :]
        row = part * TILE + tl.arange(0, TILE)
        inside = (row < rows)[:, None] & there[None, :]
        at = (picture * rows + row)[:, None] * channels + column[None, :]
        tile_a = tl.load(a + at, mask=inside, other=0.0).to(tl.float32)
        tile_b = tl.load(b + at, mask=inside, other=0.0).to(tl.float32)
        value = tile_a * factor_a + tile_b * factor_b + shift
        tl.store(out + at, value.to(out.dtype.element_ty), mask=inside)


class _GroupNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, groups: int, eps: float) -> Tensor:
        """x: (B, N, C)."""
        count, rows, channels = x.shape
        size = rows * channels // groups
        total, square = (s.view(count, groups, -1).sum(2) for s in sums(x, x))
        mean = total / size
        inverse = (square / size - mean * mean).clamp_min(0).add(eps).rsqrt()
        scale = weight.float().view(1, groups, -1) * inverse[..., None]
        shift = bias.float().view(1, groups, -1) - mean[..., None] * scale
        scale = scale.reshape(count, channels)
        ctx.save_for_backward(x, weight, mean, inverse, scale)
        return affine(x, x, scale, torch.zeros_like(scale), shift.reshape(count, channels))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        x, weight, mean, inverse, scale = ctx.saved_tensors
        grad = grads[0].contiguous()
        count, rows, channels = x.shape
        groups = mean.shape[1]
        size = rows * channels // groups
        summed, dotted = (s.view(count, groups, -1) for s in sums(grad, x))
        # sums of grad times the normalised x
        along = inverse[..., None] * (dotted - mean[..., None] * summed)
        gamma = weight.float().view(1, groups, -1)
        mean_grad = (gamma * summed).sum(2) / size
        mean_along = (gamma * along).sum(2) / size
        of_x = -(inverse**2) * mean_along
        offset = -inverse * mean_grad - mean * of_x
        spread = (count, groups, channels // groups)
        dx = affine(
            grad, x, scale, of_x[..., None].expand(spread).reshape(count, channels),
            offset[..., None].expand(spread).reshape(count, channels),
        )  # fmt: skip
        d_weight = along.sum(0).view(channels).to(weight.dtype)
        return dx, d_weight, summed.sum(0).view(channels).to(weight.dtype), None, None


class ChannelsLastGroupNorm(nn.GroupNorm):
    """`torch.nn.GroupNorm` for channels-last (B, C, H, W); other layouts are brought into it."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002
        """Normalise; the result is channels-last."""
        rows = input.permute(0, 2, 3, 1)
        flat = rows.contiguous().flatten(1, 2)
        out: Tensor = _GroupNorm.apply(flat, self.weight, self.bias, self.num_groups, self.eps)
        return out.view(rows.shape).permute(0, 3, 1, 2)


def use_channels_last(module: nn.Module) -> None:
    """Turn every 2-D group normalisation of a module into the one above; parameters and their names stay."""
    for child in module.modules():
        if type(child) is nn.GroupNorm:
            child.__class__ = ChannelsLastGroupNorm
