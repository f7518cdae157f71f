"""A whole run: learner and bank from a source and a configuration, training, validation, export."""

from __future__ import annotations

from pathlib import Path

import torch

from visionrouter.backends.generative.nano.codes import JOINT_COLOURS
from visionrouter.backends.generative.tuning.bank import Bank
from visionrouter.backends.generative.tuning.config import NanoModel, TuningConfig
from visionrouter.backends.generative.tuning.export import write_model
from visionrouter.backends.generative.tuning.labelled import Source, Vocabulary
from visionrouter.backends.generative.tuning.learner import Learner
from visionrouter.backends.generative.tuning.trainer import Trainer


def tune(
    source: Source,
    config: TuningConfig,
    folder: Path,
    *,
    minutes: float | None = None,
    device: str | None = None,
) -> Path | None:
    """Tune in `folder`, going on from its checkpoint where there is one.

    `minutes`: length of the whole run where `config.steps` is null, else the most this sitting may take. `device`: a
    torch device, by default the GPU where there is one. Returns the folder of the exported model, or None where the
    run is not complete yet. Raises `RequestError` and `WeightsError` as their messages say.
    """
    place = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(config.seed)
    learner = make_learner(config, source.vocabulary, folder, place)
    joints = torch.tensor(JOINT_COLOURS, dtype=torch.uint8, device=place)
    held_out = Bank.fill(source, 0, config.held_out, config, learner.tokenize, joints, place)
    bank = Bank.fill(source, config.held_out, config.pictures, config, learner.tokenize, joints, place)
    trainer = Trainer(learner, bank, held_out, config, folder, minutes)
    if not trainer.run():
        return None
    errors = trainer.validate()
    return write_model(
        learner, trainer.average, source.vocabulary, config, folder / "model", trainer.step, errors
    )


def make_learner(config: TuningConfig, vocabulary: Vocabulary, folder: Path, device: torch.device) -> Learner:
    """The model that a configuration names."""
    model = config.model
    if isinstance(model, NanoModel):
        from visionrouter.backends.generative.tuning.patches import PatchLearner

        return PatchLearner(model, config.picture_size, vocabulary, folder, device)
    from visionrouter.backends.generative.tuning.editors import EditorLearner

    return EditorLearner(model, device)
