"""Training a small specialist: by time or by steps, a moving average of the weights, safe from being killed."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from visionrouter.backends.generative.tuning import checkpoint
from visionrouter.backends.generative.tuning.labelled import Labelled, Source
from visionrouter.backends.generative.tuning.progress import Progress
from visionrouter.backends.specialist.pictures import gather
from visionrouter.backends.weights import sha256_of
from visionrouter.schema.errors import RequestError

WARM_UP_STEPS = 100
DECAY = 0.999
LEAST_RATE = 0.01
MOMENTS = ("exp_avg", "exp_avg_sq")
LOG_EVERY = 50
LossOfStep = Callable[[np.random.Generator, torch.Generator], Tensor]
"""Draws a batch with the step's own random numbers, on the CPU and on the device, and gives its loss."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sitting:
    """One run of training in `folder`: what it sees, for how long, how fast it learns.

    `minutes` of training (all sittings together, without rendering) or `steps`. The first `held_out` pictures of a
    source are for metrics, the next `pictures` are learnt from; all are squares of `size` pixels.
    """

    folder: Path
    minutes: float | None = None
    steps: int | None = None
    pictures: int
    held_out: int = 256
    size: int
    batch: int
    rate: float
    weight_decay: float = 0.01
    device: str = "cpu"
    seed: int = 0
    checkpoint_minutes: float = 3.0

    def __post_init__(self) -> None:
        if (self.minutes is None) == (self.steps is None):
            raise RequestError("say how long to train: minutes or steps, one of them")
        self.folder.mkdir(parents=True, exist_ok=True)

    @property
    def options(self) -> dict[str, object]:
        """What decides the outcome, for the card."""
        apart = ("folder", "device", "checkpoint_minutes")
        return {k: v for k, v in asdict(self).items() if k not in apart}

    def digest_of(self, network: torch.nn.Module) -> str:
        """Of what must stay where a run goes on; its length may change."""
        fixed = {k: v for k, v in self.options.items() if k not in ("minutes", "steps")}
        return hashlib.sha256(json.dumps([fixed, sorted(network.state_dict())]).encode()).hexdigest()

    def pictures_of(self, source: Source) -> tuple[Labelled, Labelled]:
        """The pictures for metrics and those to learn from; rendered once and kept in the folder."""
        ends = ((0, self.held_out), (self.held_out, self.pictures))
        unseen, bank = (gather(source, a, n, self.size, self.device, self.folder) for a, n in ends)
        return unseen, bank

    def autocast(self) -> torch.autocast:
        """bfloat16 where the device is quick at it."""
        quick = self.device != "cpu" or torch.cpu.get_capabilities().get("amx_bf16", False)
        return torch.autocast(torch.device(self.device).type, torch.bfloat16, enabled=bool(quick))

    def share(self, step: int, elapsed_s: float) -> float:
        """How much of the run is done, 0 to 1."""
        if self.steps is not None:
            return step / self.steps
        assert self.minutes is not None
        return elapsed_s / (60 * self.minutes)


def fit(network: torch.nn.Module, loss_of_step: LossOfStep, sitting: Sitting) -> int:
    """Train by AdamW, the rate falling to 1 % along a cosine over time or steps; returns the number of steps.

    Goes on from the folder's checkpoint where there is one: a run by steps that was killed ends as one that was not.
    The network ends in eval mode with the moving average. Raises `WeightsError` where the checkpoint is another
    run's, `FloatingPointError` where the loss is no number.
    """
    moved = {n: p for n, p in network.named_parameters() if p.requires_grad}
    optimiser = torch.optim.AdamW(moved.values(), sitting.rate, weight_decay=sitting.weight_decay)
    state = network.state_dict()
    average = {n: v.detach().clone() for n, v in state.items() if v.is_floating_point()}
    digest = sitting.digest_of(network)
    step, elapsed_s = _resume(sitting.folder, digest, state, average, moved, optimiser)
    progress = Progress(sitting.folder, elapsed_s)
    saved = elapsed_s
    network.train()
    while (share := sitting.share(step, progress.elapsed_s)) < 1:
        fall = max(LEAST_RATE, 0.5 * (1 + math.cos(math.pi * share)))
        for group in optimiser.param_groups:
            group["lr"] = sitting.rate * fall * min(1.0, (step + 1) / WARM_UP_STEPS)
        noise = torch.Generator(sitting.device).manual_seed((sitting.seed << 32) + step)
        loss = loss_of_step(np.random.default_rng((sitting.seed, step)), noise)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(moved.values(), 1.0)
        optimiser.step()
        with torch.no_grad():
            decay = min(DECAY, (1 + step) / (10 + step))
            torch._foreach_lerp_(list(average.values()), [state[n] for n in average], 1 - decay)
        step += 1
        if step % LOG_EVERY == 0:
            _log(progress, share, step, loss.item(), sitting)
        if progress.elapsed_s - saved >= 60 * sitting.checkpoint_minutes:
            _save(
                sitting.folder,
                checkpoint.Position(step, progress.elapsed_s, digest),
                state,
                average,
                moved,
                optimiser,
            )
            saved = progress.elapsed_s
    _save(
        sitting.folder,
        checkpoint.Position(step, progress.elapsed_s, digest),
        state,
        average,
        moved,
        optimiser,
    )
    network.load_state_dict(average, strict=False)
    network.eval()
    return step


def _log(progress: Progress, share: float, step: int, loss: float, sitting: Sitting) -> None:
    if not math.isfinite(loss):
        raise FloatingPointError(
            f"the loss is {loss} at step {step}; go on from {sitting.folder} with a lower rate"
        )
    progress.record(step, {"loss": loss})
    speed = step * sitting.batch / progress.elapsed_s
    progress.show(share, step, f"loss {loss:.4f} {speed:.1f} pictures/s at {sitting.size} px")


def _save(
    folder: Path,
    position: checkpoint.Position,
    state: Mapping[str, Tensor],
    average: Mapping[str, Tensor],
    moved: Mapping[str, torch.nn.Parameter],
    optimiser: torch.optim.Optimizer,
) -> None:
    tensors = {f"state.{n}": v for n, v in state.items()} | {f"average.{n}": v for n, v in average.items()}
    for name, parameter in moved.items():
        for moment in MOMENTS:
            if parameter in optimiser.state:
                tensors[f"{moment}.{name}"] = optimiser.state[parameter][moment]
    checkpoint.save(folder, position, tensors)


@torch.no_grad()
def _resume(
    folder: Path,
    digest: str,
    state: Mapping[str, Tensor],
    average: Mapping[str, Tensor],
    moved: Mapping[str, torch.nn.Parameter],
    optimiser: torch.optim.Optimizer,
) -> tuple[int, float]:
    """Steps and seconds of the run so far; the network, its average and the optimiser as they were then."""
    found = checkpoint.load(folder, digest)
    if found is None:
        return 0, 0.0
    position, tensors = found
    for name, value in state.items():
        value.copy_(tensors[f"state.{name}"])
    for name, value in average.items():
        value.copy_(tensors[f"average.{name}"])
    for name, parameter in moved.items():
        if f"exp_avg.{name}" in tensors:
            optimiser.state[parameter] = {
                "step": torch.tensor(float(position.step)),
                **{moment: tensors[f"{moment}.{name}"].to(parameter, copy=True) for moment in MOMENTS},
            }
    return position.step, position.elapsed_s


def save(network: torch.nn.Module, folder: Path, name: str, card: Mapping[str, object]) -> None:
    """Write `name`.safetensors in float16, and `name`.json: its digest, its size and the rest of the card."""
    from safetensors.torch import save_file

    path = folder / f"{name}.safetensors"
    state = {
        k: (v.half() if v.is_floating_point() else v).cpu().contiguous()
        for k, v in network.state_dict().items()
    }
    save_file(state, path)
    path.chmod(0o644)
    whole = {"sha256": sha256_of(path), "bytes": path.stat().st_size, **card}
    path.with_suffix(".json").write_text(json.dumps(whole, indent=1) + "\n")
