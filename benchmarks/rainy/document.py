"""What a run of the benchmark found, as one document: frozen records, and their JSON.

`rainy-day.json` is a `Document`; everything the Markdown table and the report say stands in it. A figure that is not
defined (the risk of a system that answered nothing) is None, never NaN.

Losses are those of `visionrouter.confidence.losses`, in [0, 1] and lower is better. A system that abstains is told apart
from one that answers by two views of the same answers:

- **Utility.** Every request costs the loss of the answer given, vouched for or not; no answer costs the line between good
  and bad of its task (`Loss.bad_above`), and nothing where nothing was there to be found.
- **Selective.** `coverage` is the share of requests with an answer that is vouched for (accepted, fallen back or merged;
  not degraded), `risk` the share of bad ones among those.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from visionrouter.schema.errors import SchemaError

if TYPE_CHECKING:
    from pydantic import TypeAdapter

Group = Literal["clean", "damage", "odd", "wording", "size", "occlusion"]
"""What a condition does. `size` and `occlusion` are slices of the items of `clean` and `damage`, by what is asked for."""
SystemKind = Literal["alone", "merged", "policy", "oracle"]
ORACLE = "oracle"
EDITION = 1
"""Of this document's form."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with the percentile interval of a bootstrap over scenes; the bounds are None where it has none."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """One column of the matrix. `kind` is the damage, the world or the wording; `severity` 1 to 5, or 0."""

    name: str
    group: Group
    kind: str
    severity: int = 0


@dataclass(frozen=True, slots=True)
class System:
    """One row of the matrix: a backend alone, all merged, a policy, or the better backend of each image by its true loss.

    `weights`: sha256 by backend that it may ask. `policy`: the policy's hash, None for the oracle.
    """

    name: str
    kind: SystemKind
    policy: str | None = None
    weights: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Certified:
    """Answers accepted under certificates of risk at most `alpha`. `violated`: the share of bad ones is above it even at
    the lower end of its 95 % Clopper-Pearson interval."""

    n: int
    bad: int
    alpha: float
    violated: bool


@dataclass(frozen=True, slots=True)
class Score:
    """A system in one cell: `n` items of a task under a condition, from `scenes` scenes.

    `utility`: mean cost as told above. `loss` and `bad`: mean loss and share of bad ones of the answers given, vouched for
    or not; `answered`: share given. `coverage`, `risk`: the selective view. `right` and `wrong` abstentions: shares of
    the items without a vouched answer, whose best effort was bad (or absent), or good. `regret`: `utility` less the
    oracle's. `versus`: `utility` less that of `best`, the backend that alone is best in this cell; both are paired
    differences. `seconds`: of models, as measured when each answer was recorded; `cost`: of specs, summed. `metrics`:
    the task's own, of the answers given.
    """

    task: str
    condition: str
    system: str
    n: int
    scenes: int
    utility: Estimate
    answered: float
    coverage: Estimate
    loss: Estimate | None = None
    bad: float | None = None
    risk: Estimate | None = None
    abstained_right: float = 0.0
    abstained_wrong: float = 0.0
    regret: Estimate | None = None
    best: str | None = None
    versus: Estimate | None = None
    seconds: float = 0.0
    cost: float = 0.0
    metrics: Mapping[str, float] = field(default_factory=dict)
    certified: Certified | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """A system on a task, over conditions.

    Performance is 1 - utility. `clean`, and `mpc`: its mean over damages of the mean over severities; `rpc`: `mpc` over
    `clean` (Hendrycks & Dietterich 2019, Michaelis et al. 2019). `metrics_clean` and `metrics_mpc`: the task's own the
    same way. The rest is over all items of clean, damage and odd. `gap`: what the oracle gains over the backend that
    alone is best on the task; `regret`: what the system loses against the oracle; `regret_share`: of the gap, None where
    there is no gap to speak of.
    """

    task: str
    system: str
    n: int
    utility: Estimate
    coverage: float
    clean: Estimate | None = None
    mpc: Estimate | None = None
    rpc: Estimate | None = None
    risk: float | None = None
    best: str | None = None
    gap: float | None = None
    regret: Estimate | None = None
    regret_share: float | None = None
    seconds: float = 0.0
    cost: float = 0.0
    metrics_clean: Mapping[str, float] = field(default_factory=dict)
    metrics_mpc: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Shot:
    """A system's answer to one item. `loss` is None where nothing was answered. `would_be`: loss of the best effort where
    no answer is vouched for. `score`: the calibrated confidence, or how far inside its limits the answer is; `score_of`
    says which, "confidence" or "margin", and higher is safer. `size`: share of the image that is asked for, `occluded`: median share of it that is hidden."""

    item: str
    scene: str
    task: str
    condition: str
    system: str
    outcome: str
    reason: str
    utility: float
    vouched: bool
    loss: float | None = None
    sources: tuple[str, ...] = ()
    would_be: float | None = None
    score: float | None = None
    score_of: str | None = None
    seconds: float = 0.0
    cost: float = 0.0
    size: float | None = None
    occluded: float | None = None
    certificate_alpha: float | None = None


@dataclass(frozen=True, slots=True)
class Planted:
    """Wrong answers set in place of one backend's, with its evidence kept, and how many a system still vouched for.

    `n`: items where the planted backend was asked and the plant was bad; `caught`: share of them where no bad answer of
    its is vouched for. `would_be_good`: the same items unplanted whose best answer is good; `false_alarms`: share of
    those where no answer is vouched for.
    """

    plant: str
    task: str
    backend: str
    system: str
    n: int
    would_be_good: int
    caught: Estimate | None = None
    false_alarms: Estimate | None = None


@dataclass(frozen=True, slots=True)
class Faulted:
    """A system while a share `rate` of all calls to backends fails. `lost`: requests that came to no result at all.
    The `_well` figures are those of the same items without faults."""

    rate: float
    task: str
    system: str
    n: int
    faults: int
    utility: Estimate
    utility_well: float
    coverage: float
    coverage_well: float
    lost: int
    reasons: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Target:
    """One promise and what came of it. `value` is None where it could not be told, and the target is then not met."""

    name: str
    system: str
    wanted: str
    met: bool
    value: float | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """One of the worst answers that were vouched for; `folder`, relative to the document, holds `picture.png`,
    `side_by_side.png`, `truth.png` and the result as `Result.save` writes it."""

    item: str
    task: str
    condition: str
    system: str
    loss: float
    instruction: str
    said: str
    folder: str


@dataclass(frozen=True, slots=True)
class Machine:
    platform: str
    processor: str
    cores: int
    python: str
    libraries: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for. Equal options on equal weights give equal figures, but for seconds."""

    profile: str
    data: str
    data_digest: str
    tasks: tuple[str, ...]
    scenes: int
    seed: int
    draws: int
    policies: tuple[str, ...]
    calibrations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Document:
    made_by: str
    made_at: str
    command: str
    options: Options
    machine: Machine
    systems: tuple[System, ...]
    conditions: tuple[Condition, ...]
    scores: tuple[Score, ...]
    summaries: tuple[Summary, ...]
    targets: tuple[Target, ...]
    planted: tuple[Planted, ...] = ()
    faulted: tuple[Faulted, ...] = ()
    failures: tuple[Failure, ...] = ()
    shots: tuple[Shot, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    edition: int = EDITION

    def to_json(self) -> str:
        return _adapter().dump_json(self, exclude_none=True).decode()

    @staticmethod
    def from_json(text: str | bytes) -> Document:
        """Raises `SchemaError` where the text is no such document."""
        try:
            found = _adapter().validate_json(text)
        except ValueError as error:
            raise SchemaError(f"not a document of the rainy-day benchmark: {error}") from error
        if found.edition != EDITION:
            raise SchemaError(f"a document of edition {found.edition}; this program reads {EDITION}")
        return found

    @staticmethod
    def load(path: Path) -> Document:
        return Document.from_json(path.read_bytes())

    @property
    def policies(self) -> frozenset[str]:
        """Names of the systems that are policies."""
        return frozenset(system.name for system in self.systems if system.kind == "policy")

    @property
    def tasks(self) -> tuple[str, ...]:
        return self.options.tasks

    def score(self, task: str, condition: str, system: str) -> Score | None:
        wanted = (task, condition, system)
        return next((s for s in self.scores if (s.task, s.condition, s.system) == wanted), None)


@cache
def _adapter() -> TypeAdapter[Document]:
    from pydantic import TypeAdapter

    return TypeAdapter(Document)
