"""All training data of a run, held on the training device: pictures, and the instructions written for them.

What a step sees is a function of (seed, step) alone, so a run goes on after a stop as if there had been none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from visionrouter.backends.generative.tuning.config import Stage, TuningConfig
from visionrouter.backends.generative.tuning.damage import damage, recolour
from visionrouter.backends.generative.tuning.facts import measure
from visionrouter.backends.generative.tuning.instructions import Job, Rows, Tokenize, Writers
from visionrouter.backends.generative.tuning.labelled import TASKS, Labelled, Source
from visionrouter.backends.generative.tuning.targets import (
    balance,
    depth_drawing,
    mirror_keypoints,
    normals_drawing,
    pose_drawing,
    region_drawing,
)
from visionrouter.schema.task import Task

Index = npt.NDArray[np.int64]
MADE_AT_ONCE = 2048
WRITTEN_AT_ONCE = 64


@dataclass(frozen=True)
class Triplets:
    """A batch for a learner, samples ordered by task. Pictures and drawings are float (B, 3, H, W) in [0, 1]."""

    pictures: Tensor
    tokens: Tensor
    drawings: Tensor
    weights: Tensor
    """(B, 1, H, W): 0 where the answer is unknown, more than 1 on drawn pixels of mostly black answers"""
    tasks: tuple[tuple[Task, slice], ...]
    """The samples of each task"""


class Bank:
    """Pictures and instructions on one device."""

    def __init__(self, pictures: Labelled, rows: Rows, joints: Tensor, config: TuningConfig) -> None:
        device = pictures.rgb.device
        self.pictures, self.config, self.joints = pictures, config, joints
        self._picture = torch.as_tensor(rows.picture, device=device, dtype=torch.int64)
        self._mirrored = torch.as_tensor(rows.mirrored, device=device)
        self._tokens = torch.as_tensor(rows.tokens, device=device)
        self._colours = torch.as_tensor(rows.colours, device=device)
        self._rows = {task: np.flatnonzero(rows.task == index) for index, task in enumerate(TASKS)}

    @classmethod
    def fill(
        cls, source: Source, start: int, count: int, config: TuningConfig, tokenize: Tokenize, joints: Tensor,
        device: torch.device,
    ) -> Bank:  # fmt: skip
        """Make pictures [start, start + count) of a source and write instructions for them meanwhile."""
        writers = Writers(config.workers)
        held: dict[str, Tensor] = {}
        counts = {task: config.wording.of(task) for task in TASKS}
        for begin in range(0, count, MADE_AT_ONCE):
            number = min(MADE_AT_ONCE, count - begin)
            some = source.pictures(start + begin, number, config.picture_size, device)
            facts = measure(some, source.vocabulary)
            for i in range(0, number, WRITTEN_AT_ONCE):
                part = facts[i : i + WRITTEN_AT_ONCE]
                writers.submit(Job(part, begin + i, source.vocabulary, counts, config.seed + start, tokenize))
            for field in fields(some):
                value: Tensor = getattr(some, field.name)
                if field.name not in held:
                    held[field.name] = torch.empty(
                        (count, *value.shape[1:]), dtype=value.dtype, device=device
                    )
                held[field.name][begin : begin + number] = value
        return cls(Labelled(**held), writers.collect(), joints, config)

    def __len__(self) -> int:
        return len(self.pictures)

    def answers(self, task: Task) -> bool:
        """Whether any instruction of a task was written."""
        return len(self._rows[task]) > 0

    @property
    def instructions(self) -> int:
        """Number of instructions written."""
        return len(self._picture)

    def batch(self, step: int, stage: Stage) -> Triplets:
        """The training batch of a step: shares of tasks, flips, colour changes and damage."""
        rng = np.random.default_rng((self.config.seed, step))
        noise = torch.Generator(self.pictures.rgb.device).manual_seed(int(rng.integers(1 << 62)))
        chosen = [
            (task, rng.choice(self._rows[task], number))
            for task, number in apportion(self.config, stage.batch)
            if number
        ]
        return self._triplets(chosen, stage.size, (rng, noise))

    def fixed(self, task: Task, count: int) -> Triplets:
        """The first instructions of a task, undamaged, for validation; fewer where there are fewer."""
        rows = self._rows[task]
        return self._triplets(
            [(task, rows[:: max(1, len(rows) // count)][:count])], self.config.picture_size, None
        )

    def _triplets(
        self,
        chosen: list[tuple[Task, Index]],
        size: int,
        random: tuple[np.random.Generator, torch.Generator] | None,
    ) -> Triplets:
        device = self.pictures.rgb.device
        row = torch.as_tensor(np.concatenate([rows for _, rows in chosen]), device=device)
        rgb = self._view(self.pictures.rgb, row, self.config.picture_size).float() / 255
        if size < self.config.picture_size:
            rgb = avg_pool2d(rgb, self.config.picture_size // size)
        if random is not None:
            rng, noise = random
            rgb = recolour(rgb, rng, self.config.recolour_strength)
            depth_m = self._view(self.pictures.depth_m, row, size)
            rgb = damage(rgb, depth_m, self.config.damaged_share, rng, noise)
        edges = np.cumsum([0, *(len(rows) for _, rows in chosen)]).tolist()
        tasks = tuple((task, slice(*edges[i : i + 2])) for i, (task, _) in enumerate(chosen))
        answers = [self._answer(task, row[part], size) for task, part in tasks]
        drawings, weights = (torch.cat(parts) for parts in zip(*answers, strict=True))
        return Triplets(rgb, self._tokens[row].long(), drawings, weights, tasks)

    def _view(self, images: Tensor, row: Tensor, size: int) -> Tensor:
        """The images of some instructions, mirrored where they say so, every n-th pixel where `size` is less."""
        some = images[self._picture[row]]
        mirrored = self._mirrored[row].view(-1, *[1] * (some.dim() - 1))
        some = torch.where(mirrored, some.flip(-1), some)
        step = self.config.picture_size // size
        return some[..., step // 2 :: step, step // 2 :: step]

    def _answer(self, task: Task, row: Tensor, size: int) -> tuple[Tensor, Tensor]:
        """Drawing and pixel weights of some instructions of one task."""
        if task is Task.DEPTH:
            depth_m = self._view(self.pictures.depth_m, row, size)
            return depth_drawing(depth_m), (~depth_m.isnan()).float()[:, None]
        if task is Task.NORMALS:
            normals = self._view(self.pictures.normals, row, size)
            across = torch.where(self._mirrored[row].view(-1, 1, 1), -normals[:, 0], normals[:, 0])
            drawing = normals_drawing(torch.cat([across[:, None], normals[:, 1:]], 1))
            return drawing, torch.ones_like(drawing[:, :1])
        if task is Task.POSE:
            full = self.config.picture_size
            keypoints = self.pictures.keypoints[self._picture[row]]
            mirrored = self._mirrored[row].view(-1, 1, 1, 1)
            keypoints = torch.where(mirrored, mirror_keypoints(keypoints, full), keypoints)
            scale = torch.tensor([size / full, size / full, 1.0], device=keypoints.device)
            drawing = pose_drawing(keypoints * scale, self.joints, size, size)
        else:
            drawing = region_drawing(self._view(self.pictures.region, row, size), self._colours[row])
        if task is Task.SEMANTIC:
            return drawing, torch.ones_like(drawing[:, :1])
        return drawing, balance(drawing, self.config.foreground_weight)


def apportion(config: TuningConfig, batch: int) -> Iterator[tuple[Task, int]]:
    """Samples of each task in a batch, by largest remainder."""
    shares = np.array([config.shares.of(task) for task in TASKS])
    exact = batch * shares / shares.sum()
    numbers = np.floor(exact).astype(int)
    for index in np.argsort(numbers - exact, kind="stable")[: batch - numbers.sum()]:
        numbers[index] += 1
    yield from zip(TASKS, numbers.tolist(), strict=True)
