"""One table: how well a nano model draws scenes that it was not tuned on, clean and under each damage.

    python -m visionrouter.benchmarks.tuning.evaluate FOLDER --pictures 96 --severity 3 --json results.json

Rows are conditions. Columns: depth d1 and AbsRel (to 80 m), mean angle of normals in degrees, semantic mIoU with
each class in its fixed colour and with colours drawn at random, referring cIoU and mIoU, share of absent targets for
which something is drawn, instance AP (COCO's, objects over 1/700 of the picture), pose PCK at a tenth of a person.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from visionrouter.backends.generative.nano.prompts import MAX_CLASSES, instruct, palette_words, target_words
from visionrouter.backends.generative.tuning.facts import Facts, measure
from visionrouter.backends.generative.tuning.instructions import PAINTS, fixed_palette
from visionrouter.backends.generative.tuning.labelled import Labelled, Vocabulary
from visionrouter.backends.generative.tuning.referring import LEAST_AREA, Scene, choose
from visionrouter.benchmarks.tuning import scores
from visionrouter.schema.palette import NAMED_COLOURS
from visionrouter.schema.task import PaletteEntry, Task

if TYPE_CHECKING:
    from visionrouter.backends.generative.nano.pipeline import NanoPipeline

HELD_OUT_SEED = 1_000_000_000
"""First seed of the scenes judged; tuning never comes near it."""
COLUMNS = (
    "depth d1", "AbsRel", "normals deg", "mIoU fixed", "mIoU random", "ref cIoU", "ref mIoU", "absent FP",
    "instance AP", "pose PCK",
)  # fmt: skip
DRAWN_AT_ONCE = 64
Score = Callable[[npt.NDArray[np.uint8]], Any]


@dataclass(frozen=True)
class Question:
    """One instruction of one picture, and how its drawing is judged."""

    picture: int
    words: str
    score: Score


def questions(pictures: Labelled, vocabulary: Vocabulary, seed: int = 0) -> list[Question]:
    """What is asked of each picture: depth, normals, two palettes, two targets, one class of instances, pose."""
    facts = measure(pictures, vocabulary)
    return [q for i in range(len(pictures)) for q in _of_picture(pictures, facts, i, vocabulary, seed)]


def _of_picture(
    pictures: Labelled, facts: Facts, i: int, vocabulary: Vocabulary, seed: int
) -> Iterator[Question]:
    rng = np.random.default_rng((seed, i))
    scene = Scene(facts, i, vocabulary)
    region = pictures.region[i].cpu().numpy()
    depth_m = pictures.depth_m[i].float().cpu().numpy()
    yield Question(i, instruct(Task.DEPTH), partial(scores.depth, depth_m=depth_m))
    truth = (pictures.normals[i].float() / 127).permute(1, 2, 0).cpu().numpy()
    yield Question(i, instruct(Task.NORMALS), partial(scores.normals, truth=truth))
    labels = _labels(scene)
    random = [(label, PAINTS[p]) for label, p in zip(labels, rng.permutation(len(PAINTS)), strict=False)]
    for name, pairs in (("mIoU fixed", fixed_palette(labels, vocabulary)), ("mIoU random", random)):
        palette = tuple(PaletteEntry(label, NAMED_COLOURS[paint], paint) for label, paint in pairs)
        palette += (PaletteEntry("", NAMED_COLOURS["black"]),)
        index = np.full(vocabulary.regions, len(pairs), np.uint8)
        for number, label in enumerate(labels):
            index[_regions(scene, label)] = number
        score = partial(scores.semantic, labels=index[region], palette=palette, name=name)
        yield Question(i, instruct(Task.SEMANTIC, palette_words(pairs)), score)
    for _ in range(2):
        meant = choose(scene, rng)
        mask = np.isin(region, sorted(meant.regions))
        words = instruct(Task.REFERRING, target_words(meant.target))
        yield Question(i, words, partial(scores.referring, mask=mask))
    if len(scene.clear):
        thing = int(rng.choice(np.unique(scene.thing[scene.clear])))
        masks = np.stack([region == scene.first_object + k for k in scene.clear_of(thing)])
        words = instruct(Task.INSTANCE, vocabulary.things[thing])
        yield Question(i, words, partial(scores.instances, masks=masks))
    if (pictures.keypoints[i, :, :, 2] >= 2).any():
        keypoints = pictures.keypoints[i].cpu().numpy()
        yield Question(i, instruct(Task.POSE), partial(scores.pose, keypoints=keypoints))


def _labels(scene: Scene) -> list[str]:
    """The classes of a picture that cover most of it, as many as a prompt holds."""
    vocabulary = scene.vocabulary
    area = {
        name: float(a) for name, a in zip(vocabulary.stuff, scene.stuff_area, strict=True) if a >= LEAST_AREA
    }
    for thing in np.unique(scene.thing[scene.clear]):
        area[vocabulary.things[thing]] = float(scene.area[scene.of(int(thing))].sum())
    return sorted(area, key=lambda name: -area[name])[:MAX_CLASSES]


def _regions(scene: Scene, label: str) -> list[int]:
    if label in scene.vocabulary.stuff:
        return [1 + scene.vocabulary.stuff.index(label)]
    return sorted(scene.regions(scene.of(scene.vocabulary.things.index(label))))


def judge(
    pipeline: NanoPipeline,
    images: npt.NDArray[np.uint8],
    asked: Sequence[Question],
    pool: ProcessPoolExecutor,
) -> dict[str, float]:
    """Scores of a model's drawings. `images`: uint8 (B, H, W, 3), what the model sees."""
    pending = []
    for start in range(0, len(asked), DRAWN_AT_ONCE):
        some = asked[start : start + DRAWN_AT_ONCE]
        drawings = pipeline(images[[q.picture for q in some]], [q.words for q in some]).images
        pending.append(pool.map(_apply, [q.score for q in some], drawings, chunksize=8))
    tallies: list[scores.Tally] = []
    found: list[scores.Found] = []
    truths = 0
    for result in (r for batch in pending for r in batch):
        if isinstance(result, tuple):
            found += result[0]
            truths += result[1]
        else:
            tallies += result
    return scores.summarise(tallies) | {"instance AP": scores.average_precision(found, truths)}


def _apply(score: Score, drawing: npt.NDArray[np.uint8]) -> Any:
    return score(drawing)


def table(results: dict[str, dict[str, float]]) -> str:
    """Conditions as rows, in fixed-width text."""
    width = max(map(len, results))
    lines = [" ".join([" " * width, *(f"{c:>11}" for c in COLUMNS)])]
    for condition, values in results.items():
        cells = (f"{values[c]:11.3f}" if c in values else f"{'-':>11}" for c in COLUMNS)
        lines.append(" ".join([f"{condition:<{width}}", *cells]))
    return "\n".join(lines)


def evaluate(
    folder: Path,
    *,
    pictures: int = 96,
    world: str = "mixed",
    severity: int = 3,
    damages: Sequence[str] | None = None,
    size: int = 256,
    device: str | None = None,
    workers: int = 1,
    ood: bool = False,
) -> dict[str, dict[str, float]]:
    """Condition ("clean", then each damage at a severity of 1 to 5) -> column -> value."""
    import torch

    from visionrouter.backends.generative.nano.pipeline import NanoPipeline
    from visionrouter.benchmarks.scenes import DAMAGES, damage
    from visionrouter.benchmarks.tuning.source import SceneSource

    place = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        source = SceneSource(world, HELD_OUT_SEED, ood)
        labelled = source.pictures(0, pictures, size, place)
        asked = questions(labelled, source.vocabulary)
        dtype = torch.float16 if place.type == "cuda" else torch.float32
        pipeline = NanoPipeline.from_pretrained(str(folder)).to(place, dtype)
        rgb = labelled.rgb.float() / 255
        results = {}
        for kind in ("clean", *(DAMAGES if damages is None else damages)):
            seen = rgb if kind == "clean" else damage(rgb, labelled.depth_m.float(), kind, severity, 0)
            images = (seen * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
            results[kind] = judge(pipeline, images, asked, pool)
    return results


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Judge a nano model on rendered scenes it was not tuned on.")
    parser.add_argument("folder", type=Path, help="the model, in diffusers' layout")
    parser.add_argument("--pictures", type=int, default=96)
    parser.add_argument("--world", default="mixed")
    parser.add_argument("--severity", type=int, default=3)
    parser.add_argument("--damages", nargs="*", help="all by default; none: only clean")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--device")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--ood", action="store_true", help="classes and textures that tuning never showed")
    parser.add_argument("--json", type=Path, help="write the results here too")
    given = vars(parser.parse_args(arguments))
    out = given.pop("json")
    results = evaluate(**given)
    sys.stdout.write(table(results) + "\n")
    if out is not None:
        out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
