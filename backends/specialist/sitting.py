"""Training a small specialist: by time or by steps, a moving average of the weights, safe from being killed."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from visionrouter.backends.generative.tuning import checkpoint
from visionrouter.backends.generative.tuning.damage import damage
from visionrouter.backends.generative.tuning.labelled import Labelled, Source
from visionrouter.backends.generative.tuning.progress import Progress
from visionrouter.backends.specialist.familiarity import Familiarity
from visionrouter.backends.specialist.pictures import gather
from visionrouter.backends.weights import sha256_of
from visionrouter.schema.arrays import F32
from visionrouter.schema.errors import RequestError

WARM_UP_STEPS = 100
DECAY = 0.999
LEAST_RATE = 0.01
MOMENTS = ("exp_avg", "exp_avg_sq")
LOG_EVERY = 50
DAMAGED_SHARE = 0.4
FAMILIAR_PICTURES = 2048

LossOfStep = Callable[[np.random.Generator, torch.Generator], Tensor]
"""Draws a batch with the step's own random numbers, on the CPU and on the device, and gives its loss."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sitting:
    """One run of training in `folder`: what it sees, for how long, how fast it learns.

    The run ends after `steps`, or after `minutes` of training, all sittings together; where both are given, `minutes`
    only end this sitting. The first `held_out` pictures of a source are for metrics, the next `pictures` are learnt
    from; all are squares of `size` pixels. `shipped`: starts from the weights in the package.
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
    shipped: bool = False
    seed: int = 0
    checkpoint_minutes: float = 3.0

    def __post_init__(self) -> None:
        if self.minutes is None and self.steps is None:
            raise RequestError("neither steps nor minutes are given; say how long the run is")
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

    def part(self, share: float, name: str = "") -> Sitting:
        """A share of the run, its checkpoint in a folder of its own."""
        return replace(
            self,
            folder=self.folder / name,
            minutes=None if self.minutes is None else share * self.minutes,
            steps=None if self.steps is None else max(1, round(share * self.steps)),
        )

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

    def over(self, sat_s: float) -> bool:
        """Whether a sitting of `sat_s` seconds ends before its run."""
        return self.steps is not None and self.minutes is not None and sat_s >= 60 * self.minutes


class Course:
    """A network on its way: its weights, their moving average, the optimiser's moments."""

    def __init__(self, network: torch.nn.Module, sitting: Sitting) -> None:
        self.network, self.sitting = network, sitting
        self.moved = {n: p for n, p in network.named_parameters() if p.requires_grad}
        self.optimiser = torch.optim.AdamW(
            self.moved.values(), sitting.rate, weight_decay=sitting.weight_decay
        )
        self.state: dict[str, Tensor] = network.state_dict()
        self.average = {n: v.detach().clone() for n, v in self.state.items() if v.is_floating_point()}
        self.digest = sitting.digest_of(network)
        self.step, elapsed_s = self._resumed()
        self.progress = Progress(sitting.folder, elapsed_s)

    @property
    def share(self) -> float:
        """How much of the run is done, 0 to 1."""
        return self.sitting.share(self.step, self.progress.elapsed_s)

    def move(self, loss_of_step: LossOfStep) -> Tensor:
        """One step; its loss."""
        sitting, step = self.sitting, self.step
        fall = max(LEAST_RATE, 0.5 * (1 + math.cos(math.pi * min(1.0, self.share))))
        for group in self.optimiser.param_groups:
            group["lr"] = sitting.rate * fall * min(1.0, (step + 1) / WARM_UP_STEPS)
        noise = torch.Generator(sitting.device).manual_seed((sitting.seed << 32) + step)
        loss = loss_of_step(np.random.default_rng((sitting.seed, step)), noise)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.moved.values(), 1.0)
        self.optimiser.step()
        with torch.no_grad():
            decay = min(DECAY, (1 + step) / (10 + step))
            torch._foreach_lerp_(
                list(self.average.values()), [self.state[n] for n in self.average], 1 - decay
            )
        self.step += 1
        return loss.detach()

    def save(self) -> None:
        """Write the checkpoint."""
        tensors = {f"state.{n}": v for n, v in self.state.items()}
        tensors |= {f"average.{n}": v for n, v in self.average.items()}
        for name, parameter in self.moved.items():
            for moment in MOMENTS:
                if parameter in self.optimiser.state:
                    tensors[f"{moment}.{name}"] = self.optimiser.state[parameter][moment]
        position = checkpoint.Position(self.step, self.progress.elapsed_s, self.digest)
        checkpoint.save(self.sitting.folder, position, tensors)

    @torch.no_grad()
    def _resumed(self) -> tuple[int, float]:
        """Steps and seconds of the run so far; all tensors as they were then."""
        found = checkpoint.load(self.sitting.folder, self.digest)
        if found is None:
            return 0, 0.0
        position, tensors = found
        for name, value in self.state.items():
            value.copy_(tensors[f"state.{name}"])
        for name, value in self.average.items():
            value.copy_(tensors[f"average.{name}"])
        for name, parameter in self.moved.items():
            if f"exp_avg.{name}" in tensors:
                self.optimiser.state[parameter] = {
                    "step": torch.tensor(float(position.step)),
                    **{moment: tensors[f"{moment}.{name}"].to(parameter, copy=True) for moment in MOMENTS},
                }
        return position.step, position.elapsed_s


def fit(network: torch.nn.Module, loss_of_step: LossOfStep, sitting: Sitting) -> int | None:
    """Train by AdamW, the rate falling to 1 % along a cosine over the run's steps or time.

    Goes on from the folder's checkpoint where there is one: a run by steps that was killed ends as one that was not.
    Returns the number of steps, the network in eval mode with the moving average; or None where the sitting ended
    before the run. Raises `WeightsError` where the checkpoint is another run's, `FloatingPointError` where the loss
    is no number.
    """
    course = Course(network, sitting)
    began = saved = course.progress.elapsed_s
    network.train()
    while course.share < 1:
        if sitting.over(course.progress.elapsed_s - began):
            course.save()
            return None
        loss = course.move(loss_of_step)
        if course.step % LOG_EVERY == 0:
            _log(course, loss.item())
        if course.progress.elapsed_s - saved >= 60 * sitting.checkpoint_minutes:
            course.save()
            saved = course.progress.elapsed_s
    course.save()
    network.load_state_dict(course.average, strict=False)
    network.eval()
    return course.step


def _log(course: Course, loss: float) -> None:
    step, folder, size = course.step, course.sitting.folder, course.sitting.size
    if not math.isfinite(loss):
        raise FloatingPointError(
            f"the loss is {loss} at step {step}; go on from {folder} with a lower learning_rate"
        )
    speed = step * course.sitting.batch / course.progress.elapsed_s
    course.progress.record(step, {"loss": loss, "samples_per_s": speed, "size": size})
    course.progress.show(course.share, step, f"loss {loss:.4f} {speed:.1f} samples/s at {size} px")


def save(
    network: torch.nn.Module, folder: Path, name: str, card: Mapping[str, object], familiarity: Familiarity
) -> None:
    """Write `name`.safetensors: weights in float16, what is familiar to them in float32; and `name`.json: digest, size
    and the rest of the card."""
    from safetensors.torch import save_file

    path = folder / f"{name}.safetensors"
    state = {
        k: (v.half() if v.is_floating_point() else v).cpu().contiguous()
        for k, v in network.state_dict().items()
    }
    state |= {k: torch.from_numpy(v).contiguous() for k, v in familiarity.tensors().items()}
    save_file(state, path)
    path.chmod(0o644)
    whole = {"sha256": sha256_of(path), "bytes": path.stat().st_size, **card}
    path.with_suffix(".json").write_text(json.dumps(whole, indent=1) + "\n")


def familiar(
    features: Callable[[Tensor], Tensor], seen: Labelled, unseen: Labelled, sitting: Sitting
) -> Familiarity:
    """What pictures like the training's look like to a network, a share of them damaged as in training."""
    rng = np.random.default_rng((sitting.seed, 1))
    noise = torch.Generator(sitting.device).manual_seed(sitting.seed)
    rows: list[list[F32]] = [[], []]
    with torch.inference_mode():
        for some, out in zip((seen[:FAMILIAR_PICTURES], unseen), rows, strict=True):
            for begin in range(0, len(some), 16):
                part = some[begin : begin + 16]
                rgb = damage(part.rgb.float() / 255, part.depth_m, DAMAGED_SHARE, rng, noise)
                out.append(features(rgb).cpu().numpy())
    return Familiarity.fit(*(np.concatenate(some) for some in rows))
