"""Several accepted answers made one."""

from __future__ import annotations

from collections.abc import Sequence

from visionrouter.merge.front import merge
from visionrouter.merge.part import Part
from visionrouter.schema.decision import Reason, Verdict, VerdictKind
from visionrouter.schema.prediction import Evidence, Prediction
from visionrouter.schema.result import Candidate


def merged(accepted: Sequence[Candidate]) -> Candidate:
    """One answer of at least two that their gates let pass, each weighed by its calibrated confidence where it has one.

    What was certified of the parts is not known of what was made of them: it has neither a confidence nor a risk.
    """
    parts = [
        Part(
            candidate.prediction.payload,
            candidate.verdict.confidence or 1.0,
            candidate.prediction.evidence.confidence_map,
        )
        for candidate in accepted
    ]
    made = merge(parts)
    names = tuple(candidate.backend for candidate in accepted)
    signals = {f"merge_{name}": value for name, value in made.evidence.items()}
    notes = tuple(dict.fromkeys((*(n for c in accepted for n in c.prediction.notes), *made.notes)))
    verdict = Verdict(VerdictKind.ACCEPT, Reason.MERGED, f"merged of {', '.join(names)}")
    return Candidate(
        "+".join(names),
        Prediction(made.payload, Evidence(signals, made.confidence_map), None, notes),
        verdict,
        names,
        element_sources=made.element_sources,
        source_map=made.source_map,
    )
