"""Importing the package stays light: no model library, and nothing that only some requests need."""

import subprocess
import sys

import pytest

import visionrouter

HEAVY = {"torch", "diffusers", "transformers", "onnxruntime", "timm", "cv2", "ultralytics", "ray", "cel", "scipy", "PIL", "kornia", "click", "pycocotools"}  # fmt: skip


def loaded_after(statement):
    code = f"{statement}\nimport sys; print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(said.stdout.split())


def test_import_brings_nothing_before_it_is_asked_for():
    assert not loaded_after("import visionrouter") & {*HEAVY, "numpy", "pydantic", "visionrouter.router"}


def test_a_router_brings_no_heavy_library_and_no_model_of_documents():
    assert not loaded_after("from visionrouter import Router") & {*HEAVY, "pydantic"}


def test_words_are_only_read_where_words_are_given():
    assert "visionrouter.instruction" not in loaded_after("from visionrouter import Router")


def test_the_public_face():
    for name in visionrouter.__all__:
        assert getattr(visionrouter, name) is not None
    assert sorted(visionrouter.__all__) == visionrouter.__all__ == dir(visionrouter)


def test_a_name_that_is_not_there_is_said_so():
    with pytest.raises(AttributeError, match="no attribute 'Rooter'"):
        visionrouter.Rooter  # noqa: B018


def test_help_brings_no_model_library_and_no_arrays():
    heavy = {*HEAVY, "numpy", "pydantic"} - {"click"}
    assert not loaded_after("import visionrouter.cli.main") & heavy
