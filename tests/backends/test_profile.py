"""Profiles and the registry: what is written is what is made, and mistakes are named."""

import subprocess
import sys

import pytest

from visionrouter.backends.isolation import IsolatedBackend, IsolationLimits
from visionrouter.backends.profile import load_profile, profile_names
from visionrouter.backends.registry import create, names
from visionrouter.schema.errors import ProfileError
from visionrouter.schema.route import Limit, Opinion
from visionrouter.schema.task import Task

GOOD = """
schema_version: 1
name: mine
backends:
  quick:
    use: fake
    params: {licence: MIT, batch_limit: 3}
    limits: {depth: {score: {min: 0.5, max: 0.9}}}
  slow: {use: fake}
"""


def write(tmp_path, text):
    path = tmp_path / "profile.yaml"
    path.write_text(text)
    return path


def test_a_profile_makes_its_backends_in_order(tmp_path):
    profile = load_profile(write(tmp_path, GOOD))
    assert list(profile.backends) == ["quick", "slow"]
    assert profile.backends["quick"].spec.name == "quick"
    assert profile.backends["quick"].spec.licence == "MIT"
    assert profile.limits["quick"] == {Task.DEPTH: {"score": Limit(0.5, 0.9)}}


def test_an_opinion_may_ask_less_than_an_answer_that_is_vouched_for(tmp_path):
    said = "slow: {use: fake, opinions: {depth: {counts: {score: {min: 0.1}}, agrees: {abs_rel: {max: 0.3}}}, normals: {counts: {}}}}"
    profile = load_profile(write(tmp_path, GOOD.replace("slow: {use: fake}", said)))
    assert profile.opinions == {
        "slow": {
            Task.DEPTH: Opinion({"score": Limit(min=0.1)}, {"abs_rel": Limit(max=0.3)}),
            Task.NORMALS: Opinion({}),
        }
    }


def test_the_packages_profiles_load_without_reading_weights():
    for name in profile_names():
        profile = load_profile(name)
        for key, backend in profile.backends.items():
            assert backend.spec.name == key
            assert backend.spec.tasks
            assert backend.spec.licence


def test_a_backend_may_have_a_process_of_its_own(tmp_path):
    kept = "slow: {use: fake, isolation: process, memory_limit_mb: 900, hang_limit_ms: 2000}"
    backend = load_profile(write(tmp_path, GOOD.replace("slow: {use: fake}", kept))).backends["slow"]
    assert isinstance(backend, IsolatedBackend)
    assert backend.limits == IsolationLimits(memory_mb=900, hang_ms=2000)
    assert backend.spec.name == "slow"
    assert backend.pid is None


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("use: fake\n    params", "use: fkae\n    params", "fkae.*did you mean 'fake'"),
        ("batch_limit", "batch_limt", "takes no batch_limt.*batch_limit"),
        ("limits:", "limit:", "limit"),
        ("depth:", "dept:", "dept"),
        ("max: 0.9", "max: 0.1", "min 0.5"),
        ("schema_version: 1", "schema_version: 9", "schema_version"),
        (
            "slow: {use: fake}",
            "slow: {use: fake, parts: {a: later}}",
            "'later', which is not one of: quick, slow",
        ),
        ("slow: {use: fake}", "slow: {use: fake, parts: {a: slow}}", "part of itself"),
        ("slow: {use: fake}", "slow: {use: fake, hang_limit_ms: 9}", "isolation: process"),
        ("slow: {use: fake}", "slow: {use: fake, isolation: process, hang_limit_ms: 0}", "greater than 0"),
        ("slow: {use: fake}", "slow: {use: fake, isolation: fork}", "isolation"),
        (
            "slow: {use: fake}",
            "slow: {use: fake, isolation: process, params: {licence: 2026-01-01}}",
            "plain values",
        ),
        ("name: mine", "name: [", "YAML"),
        ("name: mine", "name: mine\nname: other", "twice"),
    ],
)
def test_mistakes_are_named(tmp_path, old, new, words):
    assert old in GOOD
    with pytest.raises(ProfileError, match=words):
        load_profile(write(tmp_path, GOOD.replace(old, new)))


def test_an_unknown_profile_lists_those_there_are():
    with pytest.raises(ProfileError, match="nano"):
        load_profile("naon")


def test_a_missing_part_is_asked_for():
    with pytest.raises(ProfileError, match=r"needs .*detector"):
        create("cutout")


def test_names_are_sorted_and_all_can_be_found():
    assert list(names()) == sorted(names())
    assert {"fake", "nano", "nanodet", "cutout"} <= set(names())


def test_what_a_profile_calls_open_is_permissive():
    from visionrouter.backends.licences import is_permissive

    for backend in load_profile("open").backends.values():
        assert is_permissive(backend.spec.licence), backend.spec


def test_words_and_masks_are_composed_of_a_detector_and_a_segmenter():
    """Fetched as one, and asked before a segmenter that knows no words."""
    import numpy as np

    from visionrouter.router import Router

    with Router.from_profile("open", "default") as router:
        (route,) = router.explain(np.zeros((48, 64, 3), np.uint8), "segment every forklift").routes
        parts = [router.backends[name].sources() for name in ("grounding_dino", "sam2")]
        assert router.backends["grounded_sam"].sources() == (*parts[0], *parts[1])
    assert route.backends[0] == "grounded_sam"


def test_a_policy_leaves_denied_licences_out_and_explains_it(tmp_path):
    import numpy as np

    from visionrouter.router import Router

    policy = tmp_path / "free.yaml"
    policy.write_text(
        "schema_version: 1\nname: free\nlicences: {deny: [AGPL-3.0, non-commercial]}\n"
        "default: {route: {try: [specialist, generative], otherwise: best_effort}}\n"
    )
    image = np.zeros((48, 64, 3), np.uint8)
    with Router.from_profile("open-nc", policy) as router:
        (depth,) = router.explain(image, "depth map").routes
        (dogs,) = router.explain(image, "find every dog").routes
    denied = {name for route in (depth, dogs) for name, reason in route.skipped if reason == "licence_denied"}
    assert denied == {"klein_9b", "depth_pro", "depth_anything_large", "yolo", "yoloe"}
    assert denied.isdisjoint({*depth.backends, *dogs.backends})
    assert "marigold_depth" in depth.backends


@pytest.mark.parametrize("name", ["open", "open-nc", "hosted"])
def test_a_profile_is_listed_without_a_heavy_import(name):
    heavy = ("torch", "diffusers", "transformers", "ultralytics", "timm", "google.genai")
    code = (
        "import sys\nfrom visionrouter.cli.backends import rows\n"
        f"assert all('why_not' in row for row in rows({name!r}, check=False))\n"
        f"print([module for module in {heavy} if module in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
