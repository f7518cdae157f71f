"""The tuned model as a folder that a backend loads: diffusers' layout, digests, vocabulary and a model card."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from visionrouter.backends.generative.tuning.config import TuningConfig
from visionrouter.backends.generative.tuning.labelled import Vocabulary
from visionrouter.backends.generative.tuning.learner import Learner
from visionrouter.backends.weights import sha256_of

CARD = """# {title}

An instruction-tuned image-to-image model that draws answers as decodable RGB. Tuned by `visionrouter tune`.

- Steps: {steps}; pictures: {pictures}; seed: {seed}; sizes: {sizes}
- Words: {stuff} kinds of stuff, {things} kinds of things, {colours} colours (`vocabulary.json`)
- Task shares: {shares}

Mean absolute error of one-step drawings of pictures held out, 0 to 1 a channel:

| task | error |
|---|---|
{errors}

Limits: it knows what it was tuned on. Words outside the vocabulary mean nothing to it; judge it on your own pictures
before you rely on it. Configuration: `tuning.json`.
"""


def write_model(
    learner: Learner,
    weights: Mapping[str, Tensor],
    vocabulary: Vocabulary,
    config: TuningConfig,
    folder: Path,
    steps: int,
    errors: Mapping[str, float],
) -> Path:
    """Export the given values of the parameters with `README.md`, `vocabulary.json`, `tuning.json` and `digests.json` (sha256 of every other file). Returns `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    learner.export(folder, weights)
    names = {"stuff": vocabulary.stuff, "things": vocabulary.things, "colours": vocabulary.colours}
    (folder / "vocabulary.json").write_text(json.dumps(names, indent=1) + "\n", encoding="utf-8")
    (folder / "tuning.json").write_text(config.model_dump_json(indent=1) + "\n", encoding="utf-8")
    card = CARD.format(
        title=f"visionrouter {config.model.kind} backbone",
        steps=steps,
        pictures=config.pictures,
        seed=config.seed,
        sizes=", ".join(f"{stage.size} px ({stage.share:.0%})" for stage in config.stages),
        stuff=len(vocabulary.stuff),
        things=len(vocabulary.things),
        colours=len(vocabulary.colours),
        shares=", ".join(f"{name} {value:g}" for name, value in config.shares.model_dump().items()),
        errors="\n".join(
            f"| {name.removeprefix('error/')} | {value:.4f} |" for name, value in errors.items()
        ),
    )
    (folder / "README.md").write_text(card, encoding="utf-8")
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != "digests.json")
    for path in files:
        path.chmod(0o644)
    digests = {p.relative_to(folder).as_posix(): sha256_of(p) for p in files}
    (folder / "digests.json").write_text(json.dumps(digests, indent=1) + "\n", encoding="utf-8")
    return folder
