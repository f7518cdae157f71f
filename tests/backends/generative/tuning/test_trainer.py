"""A run learns, ends the same however often it is killed, and exports what the nano pipeline loads."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from visionrouter.backends.generative.nano.pipeline import NanoPipeline
from visionrouter.backends.generative.tuning import checkpoint
from visionrouter.backends.generative.tuning.config import Shares, Stage, TuningConfig
from visionrouter.backends.generative.tuning.labelled import Labelled, Source, Vocabulary
from visionrouter.backends.generative.tuning.run import tune
from visionrouter.backends.weights import verify
from visionrouter.schema.errors import RequestError, WeightsError

ONE_STAGE = (Stage(size=16, batch=12),)
CHILD = """
import sys
from pathlib import Path
import torch
torch.set_num_threads(1)
sys.path.insert(0, sys.argv[1])
from conftest import Boxes
from visionrouter.backends.generative.tuning.config import TuningConfig
from visionrouter.backends.generative.tuning.run import tune
tune(Boxes(), TuningConfig.model_validate_json(sys.argv[2]), Path(sys.argv[3]), device="cpu")
"""


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / checkpoint.NAME)


def losses(folder: Path) -> list[float]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines if "loss" in line]


def test_loss_falls(boxes: Source, tiny: TuningConfig, tmp_path: Path) -> None:
    config = tiny.model_copy(
        update={"steps": 120, "stages": ONE_STAGE, "log_every": 20, "damaged_share": 0.0}
    )
    assert tune(boxes, config, tmp_path, device="cpu") is not None
    course = losses(tmp_path)
    assert course[-1] < 0.75 * course[0]


def test_killed_run_ends_as_the_uninterrupted_one(boxes: Source, tiny: TuningConfig, tmp_path: Path) -> None:
    config = tiny.model_copy(update={"checkpoint_minutes": 1e-6})
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    tune(boxes, config, whole, device="cpu")
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(Path(__file__).parent), config.model_dump_json(), str(cut)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while not (cut / checkpoint.NAME).is_file() and time.monotonic() < deadline:
        time.sleep(0.005)
    child.send_signal(signal.SIGKILL)
    child.wait()
    found = checkpoint.load(cut, checkpoint.load(whole, _digest(whole))[0].config)  # type: ignore[index]
    assert found is not None
    assert 0 < found[0].step < 12, "the child was to be killed on its way"
    assert tune(boxes, config, cut, device="cpu") is not None
    ended, expected = weights(cut), weights(whole)
    assert ended.keys() == expected.keys()
    assert all(torch.equal(ended[name], expected[name]) for name in expected)


def _digest(folder: Path) -> str:
    from safetensors import safe_open

    with safe_open(folder / checkpoint.NAME, "pt") as file:
        return str(json.loads(file.metadata()["position"])["config"])


def test_a_half_written_checkpoint_is_never_read(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, checkpoint.Position(3, 1.0, "a"), {"x": torch.ones(2)})
    (tmp_path / f"{checkpoint.NAME}.partial").write_bytes(b"cut short")
    found = checkpoint.load(tmp_path, "a")
    assert found is not None
    assert found[0].step == 3


def test_another_configuration_is_refused(boxes: Source, tiny: TuningConfig, tmp_path: Path) -> None:
    config = tiny.model_copy(update={"steps": 1, "stages": ONE_STAGE})
    tune(boxes, config, tmp_path, device="cpu")
    with pytest.raises(WeightsError, match="another configuration"):
        tune(boxes, config.model_copy(update={"learning_rate": 1e-5}), tmp_path, device="cpu")


def test_time_ends_a_sitting_and_the_next_goes_on(boxes: Source, tiny: TuningConfig, tmp_path: Path) -> None:
    config = tiny.model_copy(update={"steps": 3, "stages": ONE_STAGE})
    assert tune(boxes, config, tmp_path, minutes=0.0, device="cpu") is None
    found = checkpoint.load(tmp_path, _digest(tmp_path))
    assert found is not None
    late = replace(found[0], elapsed_s=3600.0)
    checkpoint.save(tmp_path, late, found[1])
    assert tune(boxes, config, tmp_path, minutes=5.0, device="cpu") == tmp_path / "model", (
        "an hour of earlier sittings takes nothing from this one"
    )


def test_export_loads_in_the_pipeline_and_draws_the_same(
    boxes: Source, tiny: TuningConfig, tmp_path: Path
) -> None:
    model = tune(boxes, tiny, tmp_path, device="cpu")
    assert model is not None
    verify(model, json.loads((model / "digests.json").read_text()))
    assert all(path.stat().st_mode & 0o044 for path in model.rglob("*.*")), "readable by all"
    names = json.loads((model / "vocabulary.json").read_text())
    assert names["things"] == ["person", "car", "cup"]
    pipeline = NanoPipeline.from_pretrained(str(model)).to("cpu", torch.float32)
    image = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    drawn = pipeline(image, ["depth map", "segment the red car"]).images
    assert drawn.shape == (2, 32, 32, 3)
    average = {n: v for n, v in weights(tmp_path).items() if n.startswith("average.unet.")}
    for name, value in pipeline.unet.state_dict().items():
        assert torch.allclose(value, average[f"average.unet.{name}"], atol=2e-3, rtol=2e-3), name


class WithoutDepth:
    """A source whose labels say nothing of depth."""

    def __init__(self, source: Source) -> None:
        self.source = source

    @property
    def vocabulary(self) -> Vocabulary:
        return self.source.vocabulary

    def __len__(self) -> int:
        return len(self.source)

    def pictures(self, start: int, count: int, size: int, device: torch.device) -> Labelled:
        pictures = self.source.pictures(start, count, size, device)
        pictures.answers[:, 0] = False
        return pictures


def test_a_task_that_no_label_answers_is_an_error(boxes: Source, tiny: TuningConfig, tmp_path: Path) -> None:
    source = WithoutDepth(boxes)
    with pytest.raises(RequestError, match="depth"):
        tune(source, tiny, tmp_path, device="cpu")
    config = tiny.model_copy(update={"shares": Shares(depth=0), "steps": 1, "stages": ONE_STAGE})
    assert tune(source, config, tmp_path, device="cpu") is not None
