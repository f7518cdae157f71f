"""Device and precision: what suits the machine, and a typed error for what it does not have."""

import pytest
import torch

from visionrouter.backends.placement import place
from visionrouter.schema.errors import BackendError


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.mark.usefixtures("no_gpu")
@pytest.mark.parametrize("device", [None, "auto", "cpu"])
def test_on_a_cpu_full_precision(device: str | None) -> None:
    assert place(device) == (torch.device("cpu"), torch.float32)
    assert place(device, "bfloat16")[1] == torch.bfloat16


@pytest.mark.usefixtures("two_gpus")
def test_on_a_gpu_half_precision_as_the_model_bears_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert place() == (torch.device("cuda"), torch.float16)
    assert place("cuda:1", half="bfloat16") == (torch.device("cuda:1"), torch.bfloat16)
    assert place("auto", "float32")[1] == torch.float32
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: False)
    assert place(half="bfloat16")[1] == torch.float32


@pytest.mark.usefixtures("no_gpu")
def test_then_metal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert place() == (torch.device("mps"), torch.float16)


@pytest.mark.usefixtures("no_gpu")
@pytest.mark.parametrize(
    ("device", "precision", "words"),
    [
        ("cuda", None, "no cuda"),
        ("mps", None, "no mps"),
        ("tpu", None, "none that is known"),
        ("cuda:x", None, "none that is known"),
        ("cpu", "float16", "on the CPU"),
        ("cpu", "int8", "float32, float16, bfloat16"),
    ],
)
def test_what_is_not_there_is_told(device: str, precision: str | None, words: str) -> None:
    with pytest.raises(BackendError, match=words):
        place(device, precision)


@pytest.mark.usefixtures("two_gpus")
def test_a_gpu_beyond_the_last_is_told() -> None:
    with pytest.raises(BackendError, match="has 2 of cuda"):
        place("cuda:2")
