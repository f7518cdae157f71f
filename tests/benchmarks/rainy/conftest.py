"""A made-up source of flat pictures, and backends that see more or less well how far away they are."""

from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from visionrouter.backends.base import Backend, BackendSpec
from visionrouter.benchmarks.labelled.item import Item
from visionrouter.benchmarks.rainy.document import Condition
from visionrouter.benchmarks.rainy.intervals import Bootstrap
from visionrouter.benchmarks.rainy.matrix import Matrix
from visionrouter.benchmarks.rainy.recorded import Recorded
from visionrouter.benchmarks.rainy.store import Store
from visionrouter.benchmarks.rainy.trials import Bench
from visionrouter.instruction import parse
from visionrouter.schema.image import load_image
from visionrouter.schema.payload import DepthMap
from visionrouter.schema.prediction import Evidence, Prediction
from visionrouter.schema.request import Query
from visionrouter.schema.route import Limit
from visionrouter.schema.task import Task

SIDE = 16
NEAR_M = 2.0
CONDITIONS = (
    Condition("clean", "clean", "clean"),
    *(Condition(f"fog{level}", "damage", "fog", level) for level in (1, 2, 3)),
    Condition("rain3", "damage", "rain", 3),
)


class Flat:
    """Slanted planes: no two scenes are equally far away. A picture's blue is the severity of its
    fog, so that a backend can see how foggy it is."""

    name, digest, tasks = "flat", "0" * 64, frozenset({Task.DEPTH})
    conditions = tuple(c.name for c in CONDITIONS)

    def items(
        self, task: Task, count: int, *, seed: int = 0, conditions: Sequence[str] = ("clean",)
    ) -> Iterator[Item]:
        for scene in range(count):
            depth = true_depth(scene)
            for name in conditions:
                condition = next(c for c in CONDITIONS if c.name == name)
                pixels = np.zeros((SIDE, SIDE, 3), np.uint8)
                pixels[..., 0] = np.arange(SIDE)[None]
                pixels[..., 1] = scene
                pixels[..., 2] = 40 * condition.severity
                yield Item(
                    f"flat/{scene}/{name}/depth",
                    f"flat/{scene}",
                    load_image(pixels),
                    parse("depth map"),
                    DepthMap(depth, "m"),
                    tags={"condition": name},
                )


def true_depth(scene):
    """Twice as far from one scene to the next."""
    slope = np.linspace(0, 1, SIDE, dtype=np.float32)[None].repeat(SIDE, 0)
    return np.float32(2**scene) * (NEAR_M + slope)


class Seer(Backend):
    """Tells the depth with a relative error of `clean`, and `by_fog` more a level of severity; its signal `doubt` is the
    error itself where it is honest, and 0 where it is not."""

    def __init__(self, name, kind, clean, by_fog, *, honest=True, cost=1.0):
        self.spec = BackendSpec(
            name, kind, frozenset({Task.DEPTH}), "Apache-2.0", weights_digest=name, cost=cost
        )
        self.clean, self.by_fog, self.honest = clean, by_fog, honest

    def predict(self, queries: Sequence[Query]) -> list[Prediction]:
        return [self._one(query.image.pixels) for query in queries]

    def _one(self, pixels):
        scene, severity = int(pixels[0, 0, 1]), int(pixels[0, 0, 2]) // 40
        mirrored = pixels[0, 0, 0] > pixels[0, -1, 0]
        error = self.clean + self.by_fog * severity
        depth = true_depth(scene) * np.float32(1 + error)
        depth = np.ascontiguousarray(depth[:, ::-1]) if mirrored else depth
        return Prediction(DepthMap(depth, "m"), Evidence({"doubt": error if self.honest else 0.0}))


LIMITS = {
    "sharp": {Task.DEPTH: {"doubt": Limit(max=0.1)}},
    "steady": {Task.DEPTH: {"doubt": Limit(max=0.1)}},
}


@pytest.fixture
def matrix():
    return Matrix(Flat(), (Task.DEPTH,), CONDITIONS, (), (), scenes=4)


@pytest.fixture
def seers():
    """`sharp` is best where it is clean and bad from severity 2 on, `steady` is fair always."""
    return {
        "sharp": Seer("sharp", "specialist", 0.01, 0.08),
        "steady": Seer("steady", "generative", 0.08, 0.0, cost=10.0),
    }


@pytest.fixture
def bench(tmp_path, seers):
    store = Store(tmp_path / "store")
    backends = {name: Recorded(seer, store) for name, seer in seers.items()}
    yield Bench(backends, LIMITS, {}, (), Bootstrap(200))
    store.close()
