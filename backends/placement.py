"""On which device and in which precision a model runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from visionrouter.schema.errors import BackendError

if TYPE_CHECKING:
    import torch

Precision = Literal["float32", "float16", "bfloat16"]
"""Precisions that weights run in."""


def place(
    device: str | None = None, precision: str | None = None, *, half: Precision = "float16"
) -> tuple[torch.device, torch.dtype]:
    """The device and dtype of a model.

    `device`: "cpu", "cuda", "cuda:1", "mps"; None or "auto" is the first there is of cuda, mps, cpu. `precision`: one
    of `Precision`; None or "auto" is float32 on the CPU and `half` elsewhere: float16 rounds colours eight times finer
    than bfloat16, whose range the largest models need. Raises `BackendError` for what this machine does not have.
    """
    import torch

    there = _device(device)
    if precision in (None, "auto"):
        if there.type == "cpu":
            return there, torch.float32
        lacks = half == "bfloat16" and there.type == "cuda" and not torch.cuda.is_bf16_supported()
        return there, torch.float32 if lacks else getattr(torch, half)
    if precision not in get_args(Precision):
        raise BackendError(
            f"precision {precision!r} is none that weights run in; give auto, {', '.join(get_args(Precision))}"
        )
    if precision == "float16" and there.type == "cpu":
        raise BackendError("float16 is for accelerators; on the CPU give precision: float32 or bfloat16")
    dtype: torch.dtype = getattr(torch, precision)
    return there, dtype


def _device(name: str | None) -> torch.device:
    import torch

    if name == "cpu":  # nothing of CUDA is touched, not even to count
        return torch.device("cpu")
    counts = {
        "cuda": torch.cuda.device_count() if torch.cuda.is_available() else 0,
        "mps": int(torch.backends.mps.is_available()),
        "cpu": 1,
    }
    if name in (None, "auto"):
        return torch.device(next(kind for kind, count in counts.items() if count))
    kind, colon, number = str(name).partition(":")
    if kind not in counts or (colon and not number.isdigit()):
        raise BackendError(f"device {name!r} is none that is known; give auto, cpu, cuda, cuda:N or mps")
    if counts[kind] == 0:
        raise BackendError(f"this machine has no {kind}; give device: auto or cpu")
    if colon and int(number) >= counts[kind]:
        raise BackendError(f"this machine has {counts[kind]} of {kind}, so no {name}; give {kind}:0 or cpu")
    return torch.device(str(name))
