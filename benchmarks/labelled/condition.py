"""Conditions under which a scene is shown: "clean", a damage with its severity ("fog3"), or a source's own ("odd")."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np

from visionrouter.backends.libraries import required
from visionrouter.schema.arrays import F32, U8
from visionrouter.schema.errors import RequestError

CLEAN = "clean"
ODD = "odd"
"""Scenes with things, textures and scales that no model was tuned on."""
TILTED = "tilted"
"""The same scenes, from a camera that is rolled over and looks up or down as none did in tuning."""
DEPTH_FREE = (
    "glare", "overexposure", "underexposure", "motion_blur", "dirt", "drops", "occluder", "noise", "jpeg", "dead_rows",
)  # fmt: skip
"""Damages that can be done to a photo without its depth."""
CORRUPTIONS = (
    "streaks", "flakes", "haze", "overcast", "dusk", "shadow", "misted", "soft_focus", "salt_pepper",
)  # fmt: skip
"""What else can be done to a photo without its depth, by kornia's operators: see `corruption`."""
WEATHER = {"fog": "fog", "rain": "rain", "snow": "snow", "haze": "fog", "streaks": "rain", "flakes": "snow"}
"""Of what is done to a picture, the weather that it stands for; of anything else it is clear."""


@dataclass(frozen=True, slots=True)
class Condition:
    """`damage` is None where the picture is left as it is; `severity` is then 0."""

    name: str
    damage: str | None = None
    severity: int = 0

    @property
    def scenes(self) -> str:
        """Which scenes it shows: CLEAN ones, whatever is then done to the picture, ODD ones or TILTED ones."""
        return self.name if self.damage is None else CLEAN

    @property
    def tags(self) -> Mapping[str, str]:
        return {
            "condition": self.name,
            "damage": self.damage or "none",
            "weather": WEATHER.get(self.damage or "", "clear"),
            "severity": str(self.severity),
        }

    @property
    def lacks(self) -> str | None:
        """The library that it needs and that is not installed."""
        return "kornia" if self.damage in CORRUPTIONS and find_spec("kornia") is None else None

    def show(self, pixels: U8, depth_m: F32 | None, seed: int) -> U8:
        """The pixels, uint8 (H, W, 3), as they look under the condition. `depth_m`: true (H, W), +inf at sky; None
        will do for those of DEPTH_FREE and CORRUPTIONS. Equal arguments give equal pixels. Raises `MissingExtraError` where
        it lacks its library."""
        if self.damage is None:
            return pixels
        if self.damage in CORRUPTIONS:
            with required(self.name, "photos", "kornia"):
                from visionrouter.benchmarks.labelled.corruption import corrupt
            return corrupt(pixels, self.damage, self.severity, seed)
        import torch

        from visionrouter.benchmarks.scenes import damage

        rgb = torch.from_numpy(pixels.astype(np.float32) / 255).permute(2, 0, 1)[None]
        depth = np.full(pixels.shape[:2], np.inf, np.float32) if depth_m is None else depth_m
        out = damage(
            rgb,
            torch.from_numpy(depth)[None],
            self.damage,
            self.severity,
            torch.tensor([seed], dtype=torch.int64),
        )
        shown: U8 = (out[0].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
        return shown


def damaged(kinds: Sequence[str]) -> tuple[str, ...]:
    """Names of all severities of some damages."""
    from visionrouter.benchmarks.scenes import SEVERITIES

    return tuple(f"{kind}{level}" for kind in kinds for level in range(1, SEVERITIES + 1))


def parse_conditions(names: Sequence[str], known: Sequence[str], owner: str) -> tuple[Condition, ...]:
    """Raises `RequestError` for a name that `owner` does not know."""
    if not names:
        raise RequestError(f"{owner}: no condition is given; {CLEAN!r} shows scenes as they are")
    for name in names:
        if name not in known:
            kinds = dict.fromkeys(re.sub(r"\d$", "1..5", n) for n in known)
            reason = " needs the true depth, which is not there" if _needs_depth(name) else " is not known"
            raise RequestError(f"{owner}: condition {name!r}{reason}; choose among {', '.join(kinds)}")
    if len(set(names)) < len(names):
        raise RequestError(f"{owner}: a condition is given twice in {', '.join(names)}; give each once")
    return tuple(condition(name) for name in names)


def condition(name: str) -> Condition:
    """The condition of a name that `damaged` gives, of CLEAN, ODD or TILTED."""
    if name in (CLEAN, ODD, TILTED):
        return Condition(name)
    return Condition(name, name[:-1], int(name[-1]))


def _needs_depth(name: str) -> bool:
    from visionrouter.benchmarks.scenes import DAMAGES

    return name in damaged(tuple(DAMAGES))
