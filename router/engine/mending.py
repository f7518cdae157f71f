"""Region fallback: what is in doubt of a dense answer is asked of the next backend, and set in.

A specialist that answers crops (`spec.crops`) is shown the regions with their surroundings alone, where that is less than
half of the image; any other is shown the image, and its answer counts for the whole fallback too. The mended answer is a
subject of its own, judged anew: nothing that was known of the two answers is known of what was made of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from visionrouter.confidence.calibrations import mended_subject
from visionrouter.confidence.gate import Standing, calibrated_map, decide
from visionrouter.engine.ask import Answer, hear
from visionrouter.engine.journey import Journey
from visionrouter.engine.lane import Lane
from visionrouter.engine.pace import NoTimeError
from visionrouter.engine.stops import Stop
from visionrouter.merge.mend import Patch, mend
from visionrouter.merge.regions import Regions as Spots
from visionrouter.merge.regions import doubtful
from visionrouter.schema.arrays import F32
from visionrouter.schema.decision import Reason
from visionrouter.schema.payload import DepthMap, NormalMap, Segmentation
from visionrouter.schema.prediction import Evidence, Prediction
from visionrouter.schema.request import Query
from visionrouter.schema.result import Candidate
from visionrouter.schema.route import Regions, Route
from visionrouter.schema.task import Task

DENSE = frozenset({Task.DEPTH, Task.NORMALS, Task.SEMANTIC})
NO_MAP = f"no_confidence_map:{Reason.DEADLINE_EXCEEDED.value}"
"""Note of an answer whose calibrated confidence of each pixel would not be known by the deadline."""
NOT_IN_TIME = f"not_mended:{Reason.DEADLINE_EXCEEDED.value}"
_CROPPED_SHARE = 0.5


async def mended(
    journey: Journey,
    route: Route,
    base: Stop,
    patch: Lane,
    prediction: Prediction,
    standing: Standing,
    timeout_ms: float | None,
) -> Candidate | None:
    """The answer of `base`, mended where it is in doubt with `patch`'s, and its verdict; None where it is not mended.

    That is: the task is not dense, there is no confidence map, nothing or too much is in doubt, or the patch gave no
    answer; what stands in the way is noted on the attempt. `standing` is that of the mended answer.
    """
    regions = route.regions
    if regions is None or journey.query.task not in DENSE or prediction.evidence.confidence_map is None:
        return None
    try:
        trust = await calibrated_map_of(journey, prediction, base.standing)
        trust = prediction.evidence.confidence_map if trust is None else trust
        spots, why_not = await journey.compute("doubt", partial(_spots, trust, regions))
    except NoTimeError:
        journey.note(base.lane.name, NOT_IN_TIME)
        return None
    if spots is None:
        journey.note(base.lane.name, why_not)
        return None
    patches, signals = await _patches(journey, patch, spots, timeout_ms)
    if not patches:
        journey.note(base.lane.name, "not_mended:no_answer")
        return None
    payload = prediction.payload
    assert isinstance(payload, DepthMap | NormalMap | Segmentation)
    try:
        merged, _ = await journey.compute("mend", partial(mend, payload, patches, spots, trust))
    except NoTimeError:
        journey.note(base.lane.name, NOT_IN_TIME)
        return None
    joined = Prediction(
        merged.payload,
        Evidence(
            {
                **prediction.evidence.signals,
                **{f"patch_{name}": value for name, value in signals.items()},
                **{f"mend_{name}": value for name, value in merged.evidence.items()},
            },
            merged.confidence_map,
        ),
        prediction.drawing,
        (*prediction.notes, *merged.notes),
    )
    verdict = decide(joined, route.accept, standing, journey.tags, route.uncertified)
    try:
        joined_trust = await calibrated_map_of(journey, joined, standing)
    except NoTimeError:
        joined_trust = None
        joined = replace(joined, notes=(*joined.notes, NO_MAP))
    return Candidate(
        mended_subject(base.lane.name, patch.name),
        joined,
        verdict,
        (base.lane.name, patch.name),
        source_map=merged.source_map,
        confidence_map=joined_trust,
    )


async def calibrated_map_of(journey: Journey, prediction: Prediction, standing: Standing) -> F32 | None:
    """`calibrated_map`, off the event loop. Raises `NoTimeError`."""
    if standing.pixels is None:
        return None
    return await journey.compute("confidence_map", partial(calibrated_map, prediction, standing))


def _spots(trust: F32, regions: Regions) -> tuple[Spots | None, str]:
    """The regions in doubt, or why they are not to be mended."""
    spots = doubtful(trust, regions.below, least_area_share=regions.min_share, max_count=regions.max_count)
    if not len(spots):
        return None, "not_mended:nothing_in_doubt"
    if spots.dropped:
        return None, "not_mended:too_many_regions"
    if spots.share > regions.max_share:
        return None, "not_mended:too_large"
    return spots, ""


async def _patches(
    journey: Journey, lane: Lane, spots: Spots, timeout_ms: float | None
) -> tuple[list[Patch], dict[str, float]]:
    """The lane's answers to what is in doubt, and its signals, averaged over crops."""
    boxes = spots.boxes
    cropped = float(((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])).sum()) / spots.labels.size
    if not lane.backend.spec.crops or cropped >= _CROPPED_SHARE or lane.name in journey.answered:
        whole = await journey.ask(lane, timeout_ms)
        return _as_patches([(whole, None)])
    deadline, waiter = journey.deadline, journey.waiter
    begun_ms = deadline.elapsed_ms()
    asked = [journey.question(lane, _crop(journey.query, box), timeout_ms) for box in boxes]
    answers = [await hear(question, deadline, waiter) for question in asked]
    journey.waited_ms += deadline.elapsed_ms() - begun_ms
    return _as_patches(list(zip(answers, boxes, strict=True)))


def _as_patches(
    answers: Sequence[tuple[Answer, np.ndarray[tuple[int, ...], np.dtype[np.int32]] | None]],
) -> tuple[list[Patch], dict[str, float]]:
    patches: list[Patch] = []
    signals: list[dict[str, float]] = []
    for answer, box in answers:
        prediction = answer.prediction
        if prediction is None or not isinstance(prediction.payload, DepthMap | NormalMap | Segmentation):
            continue
        x1, y1, x2, y2 = (0, 0, 0, 0) if box is None else (int(v) for v in box)
        place = None if box is None else (x1, y1, x2, y2)
        patches.append(Patch(prediction.payload, place, 1, prediction.evidence.confidence_map))
        signals.append(dict(prediction.evidence.signals))
    names = set.intersection(*(set(each) for each in signals)) if signals else set()
    return patches, {name: float(np.mean([each[name] for each in signals])) for name in sorted(names)}


def _crop(query: Query, box: np.ndarray[tuple[int, ...], np.dtype[np.int32]]) -> Query:
    x1, y1, x2, y2 = (int(v) for v in box)
    pixels = np.ascontiguousarray(query.image.pixels[y1:y2, x1:x2])
    return replace(query, image=replace(query.image, pixels=pixels))
