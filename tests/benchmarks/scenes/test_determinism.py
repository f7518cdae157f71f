import subprocess
import sys

import pytest
import torch

from visionrouter.benchmarks.scenes import WORLDS, Scenes, Views, digest, render, sample
from visionrouter.schema.errors import RequestError

SCRIPT = """
from visionrouter.benchmarks.scenes import digest, render, sample
print("\\n".join(digest(render(sample("mixed", [11, 12]), 48, 64))))
"""


def test_another_process_draws_the_same_scenes() -> None:
    here = digest(render(sample("mixed", [11, 12]), 48, 64))
    there = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert there.stdout.split() == here
    assert len(set(here)) == 2


@pytest.mark.parametrize("world", WORLDS)
def test_a_scene_does_not_depend_on_its_batch(world: str) -> None:
    together = digest(render(sample(world, [5, 6, 7]), 40, 40))
    assert digest(render(sample(world, [6]), 40, 40))[0] == together[1]
    assert digest(render(sample(world, [7, 5]), 40, 40)) == [together[2], together[0]]


def test_slicing_keeps_scenes(scenes: Scenes, views: Views) -> None:
    assert digest(render(scenes[2:4], views.height, views.width)) == digest(views)[2:4]


def test_seed_and_domain_make_another_scene() -> None:
    digests = [
        digest(render(sample("table", [seed], ood=ood), 32, 32))[0]
        for seed, ood in ((1, False), (2, False), (1, True))
    ]
    assert len(set(digests)) == 3


def test_mixed_draws_the_worlds_own_scenes() -> None:
    mixed = sample("mixed", range(12))
    assert len(mixed.world.unique()) > 1
    assert torch.equal(mixed.seed, torch.arange(12))
    name = WORLDS[int(mixed.world[5])]
    assert digest(render(mixed[5:6], 32, 32)) == digest(render(sample(name, [5]), 32, 32))


def test_unknown_world_is_refused() -> None:
    with pytest.raises(RequestError, match="unknown world 'moon': choose one of street"):
        sample("moon", [0])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_draws_the_same_within_rounding() -> None:
    scenes = sample("mixed", range(8))
    cpu, gpu = render(scenes, 64, 64), render(scenes.to("cuda"), 64, 64).to("cpu")
    assert ((cpu.rgb - gpu.rgb).abs().amax(1) > 0.02).float().mean() < 0.01
    assert (cpu.instance != gpu.instance).float().mean() < 0.002
    both = cpu.depth_m.isfinite() & gpu.depth_m.isfinite()
    assert ((cpu.depth_m - gpu.depth_m).abs()[both] > 0.001 * cpu.depth_m[both]).float().mean() < 0.002
    drawn = sample("mixed", range(8), device="cuda")
    assert torch.equal(drawn.class_id.cpu(), scenes.class_id)
    assert torch.allclose(drawn.position.cpu(), scenes.position, atol=1e-3)
