"""How far an image is from what the backbone was tuned on.

The UNet's own features, averaged over the image, are held against their mean and covariance over images like the ones
it was tuned on: a Mahalanobis distance, as in Lee et al. (arXiv:1807.03888), with Ledoit and Wolf's shrunk covariance.
It costs no pass of its own. Run as a module after tuning, it measures the statistics and seals the folder:

    python -m visionrouter.backends.generative.nano.familiarity --weights DIR --images FOLDER
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from visionrouter.backends.generative.framing import Frame
from visionrouter.backends.generative.nano.folder import WeightsFolder
from visionrouter.backends.generative.nano.vocabulary import Vocabulary
from visionrouter.schema.arrays import F32, U8
from visionrouter.schema.errors import WeightsError
from visionrouter.schema.image import load_image
from visionrouter.schema.palette import NAMED_COLOURS
from visionrouter.schema.task import Task

if TYPE_CHECKING:
    from visionrouter.backends.generative.nano.pipeline import NanoPipeline

FILE = "familiarity.safetensors"
LAYER = "down_blocks.1"
"""Early enough to see texture and light, late enough to see shapes: of the UNet's blocks it told rendered scenes from
photos, blur and noise best."""
HELD_OUT = 4
"""Every fourth image is kept from the statistics and sets their scale."""
QUANTILE = 0.99

_F64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Familiarity:
    """Statistics of one set of weights.

    `layer`: the UNet's module whose output is averaged. `means`: prompt kind to float32 (C,). `whitening`: float32
    (C, C) W with W W^T the inverse covariance. `scale`: the distance below which `QUANTILE` of held-out images lie.
    """

    layer: str
    means: Mapping[str, F32]
    whitening: F32
    scale: float

    def distance(self, kind: str, features: F32) -> float:
        """Distance of pooled features, float32 (C,), in units of `scale`: above 1 an image is unlike the tuning's."""
        return float(np.linalg.norm((features - self.means[kind]) @ self.whitening)) / self.scale

    @classmethod
    def fit(cls, features: Mapping[str, F32], layer: str = LAYER) -> Self:
        """From pooled features, float32 (N, C) for each kind of prompt. The covariance is that within the kinds."""
        fitted = {kind: np.delete(rows, np.s_[::HELD_OUT], axis=0) for kind, rows in features.items()}
        means = {kind: rows.mean(0) for kind, rows in fitted.items()}
        centred = np.concatenate([rows - means[kind] for kind, rows in fitted.items()]).astype(np.float64)
        inverse = np.linalg.inv(shrunk_covariance(centred))
        unscaled = cls(layer, means, np.linalg.cholesky(inverse).astype(np.float32), 1.0)
        distances = [
            unscaled.distance(kind, row) for kind, rows in features.items() for row in rows[::HELD_OUT]
        ]
        return cls(layer, means, unscaled.whitening, float(np.quantile(distances, QUANTILE)))

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read the folder's statistics. Raises `WeightsError`."""
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(folder / FILE, framework="np") as file:
                about = file.metadata()
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            means = {
                name.removeprefix("mean."): tensors[name] for name in tensors if name.startswith("mean.")
            }
            return cls(about["layer"], means, tensors["whitening"], float(about["scale"]))
        except (OSError, SafetensorError, KeyError, TypeError) as error:
            raise WeightsError(
                f"{folder / FILE}: cannot be read ({error}); measure it again with this module"
            ) from error

    def write(self, folder: Path) -> None:
        """Write the folder's statistics."""
        from safetensors.numpy import save

        tensors = {"whitening": self.whitening, **{f"mean.{kind}": mean for kind, mean in self.means.items()}}
        metadata = {"layer": self.layer, "scale": repr(self.scale)}
        (folder / FILE).write_bytes(save(tensors, metadata))


def shrunk_covariance(centred: _F64) -> _F64:
    """Ledoit and Wolf's covariance of centred rows (N, C), shrunk towards a multiple of the identity after each
    column was scaled to unit variance (J. Multivariate Analysis 88, 2004)."""
    deviation = centred.std(0) + 1e-6
    x = centred / deviation
    n, c = x.shape
    sample = x.T @ x / n
    level = np.trace(sample) / c
    spread = np.square(sample).sum() - c * level**2
    noise = (np.square(np.square(x).sum(1)).mean() - np.square(sample).sum()) / n
    share = min(1.0, noise / spread) if spread > 0 else 1.0
    shrunk: _F64 = ((1 - share) * sample + share * level * np.eye(c)) * np.outer(deviation, deviation)
    return shrunk


@contextmanager
def pooled(pipeline: NanoPipeline, layer: str) -> Iterator[list[F32]]:
    """Collect the spatial mean of a layer's output, float32 (C,) an image, while the pipeline draws."""
    rows: list[F32] = []

    def collect(_module: Any, _inputs: Any, output: Any) -> None:
        states = output[0] if isinstance(output, tuple) else output
        rows.extend(states.float().mean((2, 3)).cpu().numpy())

    handle = pipeline.unet.get_submodule(layer).register_forward_hook(collect)
    try:
        yield rows
    finally:
        handle.remove()


def measure(
    pipeline: NanoPipeline, vocabulary: Vocabulary, images: Iterable[U8], seed: int = 0
) -> Familiarity:
    """Statistics over images, uint8 (H, W, 3) of any size, like those the backbone was tuned on, damaged ones in the
    share that is to count as familiar. Each is drawn once, for one kind of prompt in turn; give 300 or more."""
    rng = random.Random(seed)
    kinds = tuple(vocabulary.phrases)
    features: dict[str, list[F32]] = {kind.value: [] for kind in kinds}
    for number, image in enumerate(images):
        kind = kinds[number % len(kinds)]
        frame = Frame.around(image.shape[1], image.shape[0], pipeline.working_size, pipeline.stride)
        with pooled(pipeline, LAYER) as rows:
            pipeline(frame.place(image)[None], [_some_prompt(kind, vocabulary, rng)], seeds=[number])
        features[kind.value] += rows
    return Familiarity.fit({kind: np.stack(rows) for kind, rows in features.items()})


def _some_prompt(task: Task, vocabulary: Vocabulary, rng: random.Random) -> str:
    """A prompt as users might give it."""
    thing = rng.choice(vocabulary.things)
    if task is Task.SEMANTIC:
        count = min(vocabulary.max_classes, len(vocabulary.classes))
        names = rng.sample(vocabulary.classes, rng.randint(1, count))
        colours = rng.sample([name for name in NAMED_COLOURS if name != "black"], len(names))
        return vocabulary.say_palette(list(zip(names, colours, strict=True)))
    if task is Task.REFERRING:
        return vocabulary.say(task, f"the {rng.choice(vocabulary.colours)} {thing}")
    return vocabulary.say(task, thing)


def main(words: Sequence[str] | None = None) -> None:
    """Measure a folder of weights on a folder of pictures, write `familiarity.safetensors`, seal the weights."""
    from visionrouter.backends.generative.nano.pipeline import load_pipeline

    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--weights", type=Path, required=True, help="folder of nano weights")
    parser.add_argument("--images", type=Path, required=True, help="folder of rendered pictures, 300 or more")
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args(words)
    folder = WeightsFolder(arguments.weights)
    paths = sorted(p for p in arguments.images.iterdir() if p.suffix.lower() in (".png", ".jpg", ".jpeg"))
    pipeline = load_pipeline(folder.path, arguments.device)
    images = (load_image(path).pixels for path in paths)
    measure(pipeline, Vocabulary.read(folder), images).write(folder.path)
    folder.seal()


if __name__ == "__main__":
    main()
