"""Importing the package stays light: no model library, and nothing that only some requests need."""

import subprocess
import sys

import visionrouter

HEAVY = "torch diffusers transformers onnxruntime timm cv2 ultralytics ray cel scipy PIL pycocotools click".split()


def loaded_after(statement):
    code = f"{statement}\nimport sys; print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(said.stdout.split())


def test_import_brings_no_heavy_library():
    assert not loaded_after("import visionrouter") & set(HEAVY)


def test_the_public_face():
    for name in visionrouter.__all__:
        assert getattr(visionrouter, name) is not None
    assert sorted(visionrouter.__all__) == visionrouter.__all__


def test_help_brings_no_model_library():
    heavy = set(HEAVY) - {"click"}
    assert not loaded_after("import visionrouter.cli.main") & heavy
