"""YOLOE is told in words: against the library's own vocabulary, with a meaning planted, and what it refuses."""

import json
import logging
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tiny_specialists import sure_of_words, yolo, yoloe

from visionrouter.backends import hub
from visionrouter.backends.registry import create
from visionrouter.backends.specialist.yolo.convert import convert
from visionrouter.backends.specialist.yolo.network import read_architecture, tasks
from visionrouter.policies.licences import Licences
from visionrouter.router import Router
from visionrouter.schema.errors import MissingExtraError, WeightsError
from visionrouter.schema.image import Image, load_image
from visionrouter.schema.payload import Detections, Segmentation
from visionrouter.schema.request import Query
from visionrouter.schema.task import Target, Task

if find_spec("ultralytics") is None or find_spec("open_clip") is None:
    pytest.skip("AGPL: only where somebody installed it", allow_module_level=True)
Tiny = Callable[[str], dict[str, Any]]
WORDS = ("forklift", "pallet", "person")


@pytest.fixture(scope="module")
def image() -> Image:
    """On a canvas 64 pixels wide it is 32 high, at 0.32 of its size, with nothing filled up."""
    return load_image(np.random.default_rng(3).integers(0, 256, (100, 200, 3), np.uint8))


def named(*words: str) -> tuple[Target, ...]:
    return tuple(Target(word, word) for word in words)


def found(backend: Any, image: Image, *words: str, task: Task = Task.DETECT) -> Any:
    (answer,) = backend.predict([Query(task, image, named(*words))])
    return answer.payload


@pytest.mark.parametrize("architecture", ["yoloe-11", "yoloe-11-seg", "yoloe-26", "yoloe-26-seg"])
def test_it_answers_as_the_library_does_when_the_words_are_its_classes(
    architecture: str, tmp_path: Path, image: Image
) -> None:
    params = {"source": str(tmp_path), "device": "cpu", **yoloe(tmp_path, architecture)}
    ours = found(create("yoloe", params={**params, "duplicate_iou": 1.0}), image, *WORDS)

    import open_clip
    from ultralytics.data.augment import LetterBox
    from ultralytics.nn import tasks as networks
    from ultralytics.utils import nms, ops

    text = f"local-dir:{params['text_source']}"
    vectors = (
        open_clip.create_model(text)
        .eval()
        .encode_text(open_clip.get_tokenizer(text)(list(WORDS)), normalize=True)
    )
    kind = "YOLOESegModel" if architecture.endswith("seg") else "YOLOEModel"
    theirs = getattr(networks, kind)(str(tmp_path / "model.yaml"), nc=3, verbose=False)
    theirs.load_state_dict(load_file(tmp_path / "model.safetensors"))
    theirs.eval().set_classes(list(WORDS), theirs.model[-1].get_tpe(vectors[None]))
    canvas = LetterBox((64, 64), auto=True)(image=image.pixels)
    with torch.inference_mode():
        output = theirs(torch.from_numpy(canvas).permute(2, 0, 1)[None] / 255)[0]
        cells = output[0] if isinstance(output, tuple) else output
        (rows,) = nms.non_max_suppression(
            cells, params["threshold"], 0.7, nc=len(WORDS), end2end=theirs.end2end, max_time_img=3600
        )
        boxes = ops.scale_boxes(canvas.shape[:2], rows[:, :4], (image.height, image.width))
    assert isinstance(ours, Detections)
    assert len(ours) == len(rows) > 0
    order = np.argsort(-rows[:, 4].numpy(), kind="stable")
    np.testing.assert_allclose(ours.scores, rows[order, 4], atol=1e-5)
    np.testing.assert_allclose(np.sort(ours.boxes, 0), np.sort(boxes.numpy(), 0), atol=1e-2)
    assert sorted(ours.labels) == sorted(WORDS[int(c)] for c in rows[:, 5])


def test_a_checkpoint_that_was_given_words_converts_and_answers_as_before(
    tmp_path: Path, image: Image
) -> None:
    """Its architecture was made for more classes than it was last told of."""
    params = {"device": "cpu", **yoloe(tmp_path / "made")}
    plain = {**read_architecture(tmp_path / "made"), "nc": 80}
    with tasks("yoloe") as library:
        model = library.YOLOESegModel(plain, nc=80, verbose=False)
    sure_of_words(model)
    model.names = dict(enumerate(WORDS))
    checkpoint, folder = tmp_path / "yoloe-11t-seg.pt", tmp_path / "converted"
    torch.save({"model": model, "ema": None}, checkpoint)
    convert(checkpoint, folder)
    given = {**params, "file": None, "threshold": 0.2}
    pickled = create("yoloe", params={**given, "source": str(checkpoint), "allow_pickle": True})
    converted = create("yoloe", params={**given, "source": str(folder)})
    answers = [found(backend, image, *WORDS, task=Task.INSTANCE) for backend in (pickled, converted)]
    assert len(answers[0]) > 0
    assert answers[0] == answers[1]


def test_what_looks_like_a_word_is_found_by_that_word_alone(tiny: Tiny, image: Image) -> None:
    backend: Any = create("yoloe", params={**tiny("yoloe"), "threshold": 0.5})
    backend.load()
    head = backend._model.model.model[-1]
    with torch.inference_mode():
        meant = head.get_tpe(backend._words.embedded(["forklift"]))[0, 0]
        for seen, compared in zip(head.cv3, head.cv4, strict=True):
            seen[-1].weight.zero_()
            seen[-1].bias.copy_(meant)
            compared.norm.reset_parameters()
            compared.logit_scale.fill_(8.0)
            compared.bias.fill_(-0.999 * np.exp(8))
    for words in (("forklift", "pallet"), ("pallet", "forklift")):
        got = found(backend, image, *words, task=Task.INSTANCE)
        assert isinstance(got, Segmentation)
        assert len(got) > 0
        assert set(got.labels) == {"forklift"}
    assert len(found(backend, image, "pallet", "crate")) == 0
    assert backend.spec.labels is None


def test_a_query_without_words_is_answered_over_the_vocabulary(tiny: Tiny, image: Image) -> None:
    backend = create("yoloe", params={**tiny("yoloe"), "vocabulary": ["dog"]})
    assert set(found(backend, image).labels) == {"dog"}


def test_the_router_segments_what_words_name_and_shows_the_licences(tiny: Tiny, image: Image) -> None:
    backend = create("yoloe", params=tiny("yoloe"))
    with Router([backend]) as router:
        result = router.run(image, "segment every forklift")
    assert isinstance(result.payload, Segmentation)
    assert set(result.payload.labels) == {"forklift"}
    (attempt,) = result.decision.attempts
    assert attempt.licence == "AGPL-3.0 AND unknown"
    assert attempt.weights_digest == backend.spec.weights_digest
    usual = create("yoloe").spec.licence
    assert not Licences(deny=("non-commercial",)).permits(usual)
    assert not Licences(deny=("AGPL-3.0",)).permits(usual)


def test_no_handler_is_added_to_the_root_logger(tiny: Tiny) -> None:
    before = list(logging.getLogger().handlers)
    create("yoloe", params=tiny("yoloe")).load()
    assert logging.getLogger().handlers == before


@pytest.fixture
def apart(tiny: Tiny, tmp_path: Path) -> dict[str, Any]:
    """Params over folders that a test may spoil."""
    params = tiny("yoloe")
    shutil.copytree(params["source"], tmp_path / "whole")
    return {**params, "source": str(tmp_path / "whole"), "text_source": str(tmp_path / "whole" / "text")}


def refuses(params: dict[str, Any], words: str) -> None:
    with pytest.raises(WeightsError, match=words):
        create("yoloe", params=params).load()


def test_a_missing_text_encoder_says_what_to_fetch(tiny: Tiny, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    params = {key: value for key, value in tiny("yoloe").items() if key != "text_source"}
    why = create("yoloe", params=params).unavailable()
    assert why is not None
    assert "visionrouter fetch apple/MobileCLIP-B-LT-OpenCLIP" in why
    refuses(params, "visionrouter fetch")


def test_an_encoder_that_is_a_program_or_a_pickle_is_not_read(apart: dict[str, Any], tmp_path: Path) -> None:
    program = tmp_path / "mobileclip_blt.ts"
    program.write_bytes(b"PK")
    refuses({**apart, "text_source": str(program)}, "is a file; .*a program and is not read")
    weights = Path(apart["text_source"]) / "open_clip_model.safetensors"
    torch.save(load_file(weights), weights.with_suffix(".bin"))
    weights.unlink()
    refuses(apart, "holds no open_clip_model.safetensors")


def test_an_encoder_of_another_make_is_named(apart: dict[str, Any], tiny: Tiny) -> None:
    refuses({**apart, "text_source": tiny("depth_pro")["source"]}, "open_clip_config.json")
    path = Path(apart["text_source"]) / "open_clip_config.json"
    config = json.loads(path.read_text())
    config["model_cfg"]["embed_dim"] = 256
    path.write_text(json.dumps(config))
    refuses(apart, "makes 256 numbers of a word and the network takes 512")
    config["model_cfg"] = {"embed_dim": 512, "text_cfg": {"hf_model_name": "owner/elsewhere"}}
    path.write_text(json.dumps(config))
    refuses(apart, "describes no MobileCLIP")


def test_damaged_words_are_told(apart: dict[str, Any]) -> None:
    path = Path(apart["text_source"]) / "open_clip_model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])
    refuses(apart, "does not load in open_clip")


def test_the_encoder_of_another_generation_is_named(tmp_path: Path, monkeypatch: Any) -> None:
    params = {"source": str(tmp_path), "device": "cpu", **yoloe(tmp_path, "yoloe-26")}
    fetched, resolve = Path(params["text_source"]), hub.resolve
    monkeypatch.setattr(
        hub, "resolve", lambda source, **more: resolve(str(fetched if "Mobile" in source else source), **more)
    )
    refuses(
        {**params, "text_source": "apple/MobileCLIP-B-LT-OpenCLIP"},
        "trained with the words of mobileclip2:b; set text_source: timm/MobileCLIP2-B-OpenCLIP",
    )


def test_each_kind_of_network_is_sent_to_its_backend(tiny: Tiny, tmp_path: Path) -> None:
    folder = tmp_path / "plain"
    params = yolo(folder, "yolo11")
    refuses({**tiny("yoloe"), "source": str(folder)}, "has the head Detect; use the backend yolo for it")
    with pytest.raises(WeightsError, match="has the head YOLOESegment; use the backend yoloe for it"):
        create(
            "yolo", params={**params, "source": tiny("yoloe")["source"], "file": "model.safetensors"}
        ).load()


def test_without_open_clip_the_extra_is_named(tiny: Tiny, monkeypatch: Any) -> None:
    from visionrouter.backends import libraries

    backend = create("yoloe", params=tiny("yoloe"))
    find = libraries.importlib.import_module

    def gone(module: str, *rest: Any) -> Any:
        if module == "open_clip":
            raise ImportError("No module named 'open_clip'")
        return find(module, *rest)

    monkeypatch.setattr(libraries.importlib, "import_module", gone)
    with pytest.raises(MissingExtraError, match=r"open_clip.*visionrouter\[ultralytics\]"):
        backend.load()
