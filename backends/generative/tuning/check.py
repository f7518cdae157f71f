"""Quality check of instruction -> target: what a model is tuned on bounds what it can draw.

Each instruction is judged against the labels of its picture by other means than those that wrote it: its words are
read back, and its target is decoded by the codecs that decode the model's drawings.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from visionrouter.backends.generative.codecs.depth import resolution_m
from visionrouter.backends.generative.codecs.palette import PaletteCode
from visionrouter.backends.generative.nano.codes import DEPTH, INSTANCES, JOINT_COLOURS, NORMALS, POSE
from visionrouter.backends.generative.nano.prompts import ALIASES, ANCHORED
from visionrouter.backends.generative.tuning.config import Wording
from visionrouter.backends.generative.tuning.facts import Facts, measure
from visionrouter.backends.generative.tuning.instructions import Written, write
from visionrouter.backends.generative.tuning.labelled import TASKS, Labelled, Source, Vocabulary
from visionrouter.backends.generative.tuning.referring import LEAST_AREA
from visionrouter.backends.generative.tuning.targets import (
    depth_drawing,
    mirror_keypoints,
    normals_drawing,
    pose_drawing,
    region_drawing,
)
from visionrouter.schema.arrays import U8
from visionrouter.schema.palette import BACKGROUND, BLACK, NAMED_COLOURS, separation
from visionrouter.schema.task import PaletteEntry, Task

LEAST_SEPARATION = 0.45
"""Least distance of two colours of a palette, black included, in sides of the RGB cube."""
LEAST_INSTANCE_IOU = 0.5
MOST_DEGREES = 1.0
_PAIR = re.compile(r"([^:=,]+) = ([a-z]+)")
_ANCHORS = re.compile(" (?:" + "|".join(word for forms in ANCHORED.values() for word in forms) + ") the ")
_ORDERED = re.compile(r"most |nearest|closest|farthest|largest|biggest|smallest|second| on the | at the ")

Labels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Finding:
    """A defect of one instruction. `kind`: "palette" (colours missing, equal or too near), "code" (the target does not
    decode to the label), "absent" (the words name nothing there, the target is not black), "wrong" (the target
    is not what the words name), "ambiguous" (the words fit several things) or "contradiction" (the same words on
    the same picture have another target too)."""

    kind: str
    picture: int
    task: Task
    words: str
    detail: str


@dataclass(frozen=True)
class Report:
    """What was checked and what was found."""

    instructions: Mapping[Task, int]
    findings: Sequence[Finding]

    def text(self, most: int = 20) -> str:
        """A few lines: counts by task and kind, and the first findings."""
        counts = ", ".join(f"{task.value} {number}" for task, number in self.instructions.items())
        kinds = Counter(finding.kind for finding in self.findings)
        lines = [f"checked: {counts or 'nothing'}", f"findings: {len(self.findings)}"]
        lines += [f"  {kind:<13} {number}" for kind, number in kinds.most_common()]
        lines += [f"{f.kind}: picture {f.picture}, '{f.words}': {f.detail}" for f in self.findings[:most]]
        return "\n".join(lines)


def check_source(
    source: Source,
    count: int = 32,
    *,
    start: int = 0,
    size: int = 256,
    wording: Wording | None = None,
    seed: int = 0,
) -> Report:
    """Check the instructions that a tuning run would write for pictures [start, start + count) of a source."""
    wording = wording or Wording()
    pictures = source.pictures(start, count, size, torch.device("cpu"))
    facts = measure(pictures, source.vocabulary)
    counts = {task: wording.of(task) for task in TASKS}
    written = [
        (i, w) for i in range(count) for w in write(facts[i : i + 1], i, source.vocabulary, counts, seed)
    ]
    return check(pictures, source.vocabulary, written, facts)


def check(
    pictures: Labelled,
    vocabulary: Vocabulary,
    written: Iterable[tuple[int, Written]],
    facts: Facts | None = None,
) -> Report:
    """Check instructions, each with the index of its picture in the batch."""
    facts = facts or measure(pictures, vocabulary)
    judge = _Judge(pictures, vocabulary, facts)
    some = list(written)
    findings = [finding for i, w in some for finding in judge.of(i, w)]
    findings += _contradictions(some, judge)
    counts = Counter(w.task for _, w in some)
    return Report({task: counts[task] for task in TASKS if counts[task]}, findings)


class _Judge:
    """Reads words and targets back, with the labels at hand."""

    def __init__(self, pictures: Labelled, vocabulary: Vocabulary, facts: Facts) -> None:
        self.pictures, self.vocabulary, self.facts = pictures, vocabulary, facts
        self.nouns = {name: name for name in (*vocabulary.stuff, *vocabulary.things)}
        self.nouns |= {alias: name for alias, name in ALIASES.items() if name in self.nouns}

    def of(self, i: int, w: Written) -> Iterator[Finding]:
        """Defects of an instruction by itself."""
        checks = {
            Task.DEPTH: self._depth,
            Task.NORMALS: self._normals,
            Task.SEMANTIC: self._semantic,
            Task.REFERRING: self._referring,
            Task.INSTANCE: self._instance,
            Task.POSE: self._pose,
        }
        for kind, detail in checks[w.task](i, w):
            yield Finding(kind, i, w.task, w.words, detail)

    def shown(self, i: int, w: Written) -> dict[int, bytes]:
        """The colour of each region that is in the picture."""
        return {r: w.colours[r].tobytes() for r in self._visible(i)}

    def _visible(self, i: int) -> list[int]:
        return [int(r) for r in np.flatnonzero(self.facts.area[i] > 0)]

    def _regions(self, i: int, noun: str) -> set[int]:
        """Regions in the picture that a class name means."""
        if noun in self.vocabulary.stuff:
            named = {1 + self.vocabulary.stuff.index(noun)}
        else:
            thing = self.vocabulary.things.index(noun)
            named = {
                self.vocabulary.first_object + int(k) for k in np.flatnonzero(self.facts.thing[i] == thing)
            }
        return named & set(self._visible(i))

    def _view(self, values: torch.Tensor, w: Written) -> torch.Tensor:
        return values.flip(-1) if w.mirrored else values

    def _painted(self, i: int, w: Written) -> tuple[Labels, U8]:
        """Regions as seen, and the target."""
        region = self._view(self.pictures.region[i : i + 1], w)
        return region[0].numpy(), _levels(region_drawing(region, torch.from_numpy(w.colours[None])))

    def _depth(self, i: int, w: Written) -> Iterator[tuple[str, str]]:
        depth_m = self._view(self.pictures.depth_m[i : i + 1], w)
        read = DEPTH.decode(_levels(depth_drawing(depth_m))).values
        truth = depth_m[0].float().numpy()
        known = np.isfinite(truth) & (truth < 400)
        wrong = np.abs(read[known] - truth[known]) > 1.01 * resolution_m(truth[known])
        if wrong.any():
            yield "code", f"{wrong.mean():.1%} of the depths do not come back within a level"
        if (truth[known] < 0).any():
            yield "code", "depth is negative somewhere"

    def _normals(self, i: int, w: Written) -> Iterator[tuple[str, str]]:
        truth = self._view(self.pictures.normals[i], w).numpy().astype(np.float32).transpose(1, 2, 0) / 127
        length = np.linalg.norm(truth, axis=-1)
        surface = length > 0
        if (np.abs(length[surface] - 1) > 0.03).any():
            yield "code", "normals are not of unit length"
        read = NORMALS.decode(
            _levels(normals_drawing(self._view(self.pictures.normals[i : i + 1], w)))
        ).values
        cosine = (read[surface] * truth[surface]).sum(-1) / length[surface]
        if (np.degrees(np.arccos(cosine.clip(-1, 1))) > MOST_DEGREES).any():
            yield "code", f"normals do not come back within {MOST_DEGREES:g} degree"

    def _semantic(self, i: int, w: Written) -> Iterator[tuple[str, str]]:
        said = w.words.rpartition(":")[2] if ":" in w.words else w.words.removeprefix("paint ")
        pairs = [(label.strip(), paint) for label, paint in _PAIR.findall(said)]
        if not pairs:
            yield "palette", "no class has a colour"
            return
        unknown = [p for _, p in pairs if p not in NAMED_COLOURS]
        strange = [label for label, _ in pairs if label not in self.nouns and label != BACKGROUND]
        if unknown or strange:
            yield "palette", f"unknown: {', '.join(unknown + strange)}"
            return
        twice = [paint for paint, number in Counter(paint for _, paint in pairs).items() if number > 1]
        classes = Counter(self.nouns.get(label, label) for label, _ in pairs)
        if twice:
            yield "palette", f"two classes are {twice[0]}"
        if max(classes.values()) > 1:
            yield "palette", f"{classes.most_common(1)[0][0]} has two colours"
        if twice or max(classes.values()) > 1:
            return
        colours = [NAMED_COLOURS[paint] for _, paint in pairs]
        if separation([BLACK, *colours]) < LEAST_SEPARATION:
            yield "palette", f"two colours are nearer than {LEAST_SEPARATION} of the cube's side"
            return
        rest = next((n for n, (label, _) in enumerate(pairs) if label == BACKGROUND), len(pairs))
        index = np.full(self.vocabulary.regions, rest, np.uint8)
        for number, (label, _) in enumerate(pairs):
            if label != BACKGROUND:
                index[sorted(self._regions(i, self.nouns[label]))] = number
        region, target = self._painted(i, w)
        palette = (
            *(PaletteEntry(label, NAMED_COLOURS[paint]) for label, paint in pairs),
            PaletteEntry("", BLACK),
        )
        wrong = PaletteCode(palette).decode(target).values != index[region]
        if wrong.any():
            yield (
                "code",
                f"{wrong.mean():.1%} of the pixels do not decode to the class that the words give them",
            )

    def _referring(self, i: int, w: Written) -> Iterator[tuple[str, str]]:
        drawn = {r for r in self._visible(i) if w.colours[r].any()}
        noun, before = self._head(_ANCHORS.split(w.words)[0])
        there = self._regions(i, noun) if noun else set()
        if not there:
            if drawn:
                yield "absent", f"no {noun or 'known class'} is in the picture, the target is not black"
            return
        if drawn - there:
            yield "wrong", f"the target holds what is no {noun}"
        colour = before.split()[-1] if before.split() else ""
        if colour in self.vocabulary.colours:
            there = {r for r in there if self._colour(i, r) == colour}
            if drawn - there:
                yield "wrong", f"the target holds a {noun} that is not {colour}"
        if re.search(r"\bevery\b", w.words) and there - drawn:
            yield "wrong", f"the target lacks {len(there - drawn)} of the {noun}"
        plain = not _ANCHORS.search(w.words) and not _ORDERED.search(w.words)
        clear = [r for r in there if self.facts.area[i, r] >= LEAST_AREA]
        if plain and re.search(r"\bthe\b", w.words) and "every" not in w.words and len(clear) > 1:
            yield "ambiguous", f"{len(clear)} things are a {noun} in these words"

    def _colour(self, i: int, region: int) -> str | None:
        slot = region - self.vocabulary.first_object
        index = int(self.facts.colour[i, slot]) if slot >= 0 else -1
        return self.vocabulary.colours[index] if index >= 0 else None

    def _head(self, words: str) -> tuple[str | None, str]:
        """The class that a phrase is about, and what is said before it: the last name in it, the longest of several."""
        found = [
            (match.end(), -match.start(), name)
            for word, name in self.nouns.items()
            for match in re.finditer(rf"\b{re.escape(word)}\b", words)
        ]
        if not found:
            return None, words
        _, start, name = max(found)
        return name, words[:-start]

    def _instance(self, i: int, w: Written) -> Iterator[tuple[str, str]]:
        noun, _ = self._head(w.words)
        there = self._regions(i, noun) if noun else set()
        drawn = {r for r in self._visible(i) if w.colours[r].any()}
        if not there and drawn:
            yield "absent", f"no {noun or 'known class'} is in the picture, the target is not black"
            return
        if drawn != there:
            yield "wrong", f"the target is not every {noun} and nothing else"
            return
        region, target = self._painted(i, w)
        masks = INSTANCES.decode(target).values
        lost = 0
        for r in there:
            truth = region == r
            if truth.mean() >= LEAST_AREA:
                overlap = max(((m & truth).sum() / (m | truth).sum() for m in masks), default=0.0)
                lost += overlap < LEAST_INSTANCE_IOU
        if lost:
            yield "code", f"{lost} of {len(there)} instances do not come back"

    def _pose(self, i: int, w: Written) -> Iterator[tuple[str, str]]:
        height, width = self.pictures.region.shape[1:]
        keypoints = self.pictures.keypoints[i : i + 1]
        keypoints = mirror_keypoints(keypoints, width) if w.mirrored else keypoints
        joints = torch.tensor(JOINT_COLOURS, dtype=torch.uint8)
        target = _levels(pose_drawing(keypoints, joints, height, width))
        shown = keypoints[0, ..., 2] >= 2
        x, y = keypoints[0, ..., :2][shown].floor().long().unbind(-1)
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        if not inside.all():
            yield "code", f"{int((~inside).sum())} keypoints called visible lie outside the picture"
        if not target[y[inside].numpy(), x[inside].numpy()].any(-1).all():
            yield "code", "nothing is drawn at a visible keypoint"
        if not len(POSE.decode(target).values) and bool(inside.any()):
            yield "code", "keypoints are drawn, and nobody is read"


def _contradictions(written: Sequence[tuple[int, Written]], judge: _Judge) -> Iterator[Finding]:
    first: dict[tuple[int, bool, str], tuple[Task, dict[int, bytes]]] = {}
    for i, w in written:
        target = (w.task, judge.shown(i, w))
        if first.setdefault((i, w.mirrored, w.words), target) != target:
            yield Finding(
                "contradiction", i, w.task, w.words, "the same words have another target on this picture"
            )


def _levels(drawing: torch.Tensor) -> U8:
    """(1, 3, H, W) in [0, 1] as uint8 (H, W, 3)."""
    return (drawing[0] * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous().numpy()
