"""The trainer. One run: fill the bank, then step after step; save by time, stop by steps or by time, export.

Every random draw is a function of (seed, step), and the checkpoint holds weights, their average, the optimiser's
moments and the step: a run that is killed at any moment and started again ends as one that was not.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from visionrouter.backends.generative.tuning import checkpoint
from visionrouter.backends.generative.tuning.bank import Bank
from visionrouter.backends.generative.tuning.config import Stage, TuningConfig
from visionrouter.backends.generative.tuning.labelled import TASKS
from visionrouter.backends.generative.tuning.learner import Learner
from visionrouter.backends.generative.tuning.progress import Progress, sheet
from visionrouter.schema.errors import RequestError

BETAS = (0.9, 0.99)
MOMENTS = ("exp_avg", "exp_avg_sq")
SHEET_COLUMNS = 8


class Trainer:
    """Tunes a learner on a bank. Parameters that the learner holds in bfloat16 have float32 masters here, which the
    optimiser moves; so have the averages. `minutes` is the length of the whole run, all sittings together, where the
    configuration gives no number of steps; else it only ends this sitting."""

    def __init__(
        self,
        learner: Learner,
        bank: Bank,
        held_out: Bank,
        config: TuningConfig,
        folder: Path,
        minutes: float | None,
    ) -> None:
        if config.steps is None and minutes is None:
            raise RequestError("neither steps nor minutes are given; say how long the run is")
        unanswered = [t.value for t in TASKS if config.shares.of(t) > 0 and not bank.answers(t)]
        if unanswered:
            raise RequestError(
                f"no label answers {', '.join(unanswered)}; set the share of these tasks to 0 or add labels for them"
            )
        self.learner, self.bank, self.held_out = learner, bank, held_out
        self.config, self.folder, self.minutes = config, folder, minutes
        self.parameters = dict(learner.parameters())
        self.masters = {
            n: p if p.dtype == torch.float32 else p.detach().float() for n, p in self.parameters.items()
        }
        self.average = {name: master.detach().clone() for name, master in self.masters.items()}
        self.optimiser = torch.optim.AdamW(
            list(self.masters.values()),
            config.learning_rate,
            betas=BETAS,
            weight_decay=config.weight_decay,
            fused=bank.pictures.rgb.is_cuda,
        )
        self.step = 0
        self.progress = Progress(folder)
        self._resume()

    def run(self) -> bool:
        """Train until the run or the sitting ends; True where the run is complete. A checkpoint is left either way."""
        config, saved, validated = self.config, self.progress.elapsed_s, self.progress.elapsed_s
        if config.compile:
            self.learner.compile()
        sums, since, began = self._no_sums(), 0, self.progress.elapsed_s
        start_s = began
        while not self._over(start_s):
            stage = self._stage()
            losses, tasks = self._train(stage)
            sums.index_add_(0, tasks, torch.stack([losses, torch.ones_like(losses)], 1))
            since += len(losses)
            self.step += 1
            now = self.progress.elapsed_s
            if self.step % config.log_every == 0:
                self._log(stage, sums, since / (now - began))
                sums, since, began = self._no_sums(), 0, self.progress.elapsed_s
            if now - saved >= 60 * config.checkpoint_minutes:
                self.save()
                saved = self.progress.elapsed_s
            if now - validated >= 60 * config.validate_minutes:
                self.validate()
                validated = self.progress.elapsed_s
        self.save()
        return self.share >= 1

    @property
    def share(self) -> float:
        """How much of the run is done, 0 to 1."""
        if self.config.steps is not None:
            return self.step / self.config.steps
        assert self.minutes is not None
        return self.progress.elapsed_s / (60 * self.minutes)

    def _over(self, start_s: float) -> bool:
        """Whether the run is done, or this sitting, which began at `start_s`."""
        late = self.minutes is not None and self.progress.elapsed_s - start_s >= 60 * self.minutes
        return late or self.share >= 1

    def _stage(self) -> Stage:
        end = 0.0
        for stage in self.config.stages:
            end += stage.share
            if self.share < end - 1e-9:
                return stage
        return self.config.stages[-1]

    def _rate(self) -> float:
        """Linear warm-up, then half a cosine down to `final_rate` of the full rate."""
        rising = min(1.0, (self.step + 1) / max(1, self.config.warmup_steps))
        falling = 0.5 * (1 + math.cos(math.pi * min(1.0, self.share)))
        return self.config.learning_rate * rising * max(self.config.final_rate, falling)

    def _train(self, stage: Stage) -> tuple[Tensor, Tensor]:
        """One step. The loss and the task index of each sample, still on the device."""
        batch = self.bank.batch(self.step, stage)
        device = batch.pictures.device
        noise = torch.Generator(device).manual_seed((self.config.seed << 32) + self.step)
        last = torch.rand(len(batch.pictures), generator=noise, device=device) < self.config.one_step_share
        losses = self.learner.loss(batch.pictures, batch.tokens, batch.drawings, batch.weights, last, noise)
        for group in self.optimiser.param_groups:
            group["lr"] = self._rate()
        for parameter in self.parameters.values():
            parameter.grad = None
        losses.mean().backward()  # type: ignore[no-untyped-call]
        self._move()
        sizes = [part.stop - part.start for _, part in batch.tasks]
        index = torch.tensor([TASKS.index(task) for task, _ in batch.tasks], device=device)
        tasks = index.repeat_interleave(torch.tensor(sizes, device=device), output_size=sum(sizes))
        return losses.detach(), tasks

    @torch.no_grad()
    def _move(self) -> None:
        """One step of the masters, their average and the parameters along the gradients."""
        masters, parameters = list(self.masters.values()), list(self.parameters.values())
        mixed = [(m, p) for m, p in zip(masters, parameters, strict=True) if m is not p]
        for master, parameter in mixed:
            master.grad = torch.empty_like(master) if master.grad is None else master.grad
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        if mixed:
            held = [m.grad for m, _ in mixed if m.grad is not None]
            torch._foreach_copy_(held, [p.grad for _, p in mixed if p.grad is not None])
        clip_grad_norm_(masters, self.config.clip_norm)
        self.optimiser.step()
        if mixed:
            torch._foreach_copy_([p for _, p in mixed], [m for m, _ in mixed])
        decay = min(self.config.average_decay, (1 + self.step) / (10 + self.step))
        torch._foreach_lerp_(list(self.average.values()), masters, 1 - decay)

    def _no_sums(self) -> Tensor:
        return torch.zeros(len(TASKS), 2, device=self.bank.pictures.rgb.device)

    def _log(self, stage: Stage, sums: Tensor, speed: float) -> None:
        total, count = sums.sum(0).tolist()
        loss = total / count
        if not math.isfinite(loss):
            raise FloatingPointError(
                f"the loss is {loss} at step {self.step}; resume from {self.folder} with a lower learning_rate"
            )
        each = (sums[:, 0] / sums[:, 1].clamp_min(1)).tolist()
        named = {f"loss/{task.value}": value for task, value in zip(TASKS, each, strict=True)}
        rates = {"loss": loss, "samples_per_s": speed, "size": stage.size, "learning_rate": self._rate()}
        self.progress.record(self.step, {**rates, **named})
        self.progress.show(self.share, self.step, f"loss {loss:.4f} {speed:.0f} samples/s at {stage.size} px")

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Mean absolute error of the averaged model's drawings of held-out pictures, by task; and their sheet."""
        values, rows = {}, []
        with self.averaged():
            for task in TASKS:
                if self.held_out.answers(task):
                    batch = self.held_out.fixed(task, self.config.held_out)
                    drawn = torch.cat(
                        [
                            self.learner.draw(p, t)
                            for p, t in zip(
                                torch.split(batch.pictures, 16), torch.split(batch.tokens, 16), strict=True
                            )
                        ]
                    )
                    known = (batch.weights > 0).float()
                    error = ((drawn - batch.drawings).abs() * known).sum() / (3 * known.sum())
                    values[f"error/{task.value}"] = float(error)
                    rows += [
                        batch.pictures[:SHEET_COLUMNS],
                        drawn[:SHEET_COLUMNS],
                        batch.drawings[:SHEET_COLUMNS],
                    ]
        self.progress.record(self.step, values)
        sheet(rows, self.folder / "drawings.png")
        return values

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """The averaged weights in the model's place."""
        parameters = list(self.parameters.values())
        trained = [p.detach().clone() for p in parameters]
        with torch.no_grad():
            torch._foreach_copy_(parameters, list(self.average.values()))  # type: ignore[arg-type]
            try:
                yield
            finally:
                torch._foreach_copy_(parameters, trained)  # type: ignore[arg-type]

    def save(self) -> None:
        """Write the checkpoint."""
        tensors: dict[str, Tensor] = {}
        for name, master in self.masters.items():
            tensors |= {f"weight.{name}": master, f"average.{name}": self.average[name]}
            for moment in MOMENTS:
                if master in self.optimiser.state:
                    tensors[f"{moment}.{name}"] = self.optimiser.state[master][moment]
        position = checkpoint.Position(self.step, self.progress.elapsed_s, self._digest())
        checkpoint.save(self.folder, position, tensors)

    def _digest(self) -> str:
        return hashlib.sha256(self.config.model_dump_json().encode()).hexdigest()

    def _resume(self) -> None:
        found = checkpoint.load(self.folder, self._digest())
        if found is None:
            return
        position, tensors = found
        self.step, self.progress = position.step, Progress(self.folder, position.elapsed_s)
        with torch.no_grad():
            for name, master in self.masters.items():
                master.copy_(tensors[f"weight.{name}"])
                self.parameters[name].copy_(master)
                self.average[name].copy_(tensors[f"average.{name}"])
                if f"exp_avg.{name}" in tensors:
                    self.optimiser.state[master] = {
                        "step": torch.tensor(float(self.step), device=master.device),
                        **{moment: tensors[f"{moment}.{name}"].to(master, copy=True) for moment in MOMENTS},
                    }
