"""Opinions are counted as the router would hear them."""

from collections import Counter

import pytest

from visionrouter.backends.profile import Profile
from visionrouter.benchmarks.rainy.matrix import Matrix
from visionrouter.benchmarks.rainy.opinions import HONEST, main, measure, table
from visionrouter.benchmarks.rainy.recorded import Recorded
from visionrouter.benchmarks.rainy.systems import router_of
from visionrouter.benchmarks.rainy.trials import Bench
from visionrouter.policies import compile_policy, load_policy
from visionrouter.schema.route import Limit, Opinion
from visionrouter.schema.task import Task

STEADY = Opinion({}, {"abs_rel": Limit(max=0.2)}, {"abs_rel": Limit(max=0.05)})
"""Its own error is .08: it contradicts what is far off, and backs what is near to it."""


@pytest.fixture
def profile(bench: Bench) -> Profile:
    """`sharp` is vouched for in clean weather alone, though it is right in thin fog too."""
    limits = {"sharp": {Task.DEPTH: {"doubt": Limit(max=0.05)}}}
    return Profile("flat", bench.backends, limits, {}, {"steady": {Task.DEPTH: STEADY}})


@pytest.fixture
def items(matrix: Matrix) -> list:
    return [case.item for case in matrix.cases(Task.DEPTH)]


def test_what_is_wrong_is_contradicted_and_what_is_right_is_not(profile, items):
    rows = list(measure(profile, profile.backends, Task.DEPTH, items))
    assert {(row.of, row.by) for row in rows} == {("sharp", "steady")}
    honest = [row for row in rows if row.plant == HONEST]
    assert len(honest) == len(items)
    assert not any(row.contradicts for row in honest if row.vouched)
    planted = [row for row in rows if row.plant != HONEST]
    assert {row.plant for row in planted} == {"other_scene", "scale"}
    assert all(row.bad and row.contradicts for row in planted if row.vouched)


def test_rows_say_what_the_router_does(profile, items, bench):
    """Of honest answers: given out, or not, and why."""
    policy = {
        "schema_version": 1,
        "name": "checked",
        "default": {
            "route": {"try": ["sharp"], "check_with": {"backend": "any", "if_none": "accept", "on_disagreement": "abstain"}}
        },
    }  # fmt: skip
    rows = {r.item: r for r in measure(profile, profile.backends, Task.DEPTH, items) if r.plant == HONEST}
    said: Counter[str] = Counter()
    with router_of(
        compile_policy(load_policy(policy)), profile.backends, profile.limits, profile.opinions
    ) as router:
        for item in items:
            row, result = rows[item.id], router.answer(item.request)
            given = not row.contradicts if row.vouched else row.backs
            assert (result.payload is not None) == given
            said[result.decision.reason.value] += 1
    assert said["backed"] > 0
    assert said["within_limits"] > 0


def test_the_table_counts_rows(profile, items):
    rows = list(measure(profile, profile.backends, Task.DEPTH, items))
    line = table(rows).splitlines()[2]
    honest = [row for row in rows if row.plant == HONEST]
    thin = [row for row in honest if row.condition == "fog1"]
    assert all(row.backs and not row.bad and not row.vouched for row in thin)
    clear = sum(row.vouched for row in honest)
    assert line == (
        f"| depth | sharp | steady | 20 of 20 | 0 of {clear} | - | {len(thin)} of {len(thin)} "
        f"| 0 of {20 - clear - len(thin)} | 0 of {len(rows) - len(honest)} |"
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [(["--profile", "nope"], "no profile 'nope'"), (["--data", "mars"], "unknown source 'mars'"),
     (["--task", "juggle"], "juggle")],
)  # fmt: skip
def test_a_mistake_is_told_without_a_traceback(tmp_path, capsys, words, told):
    with pytest.raises(SystemExit) as ended:
        main(["--store", str(tmp_path), *words])
    assert told in f"{ended.value.code}{capsys.readouterr().err}"


def test_a_backend_without_an_opinion_gives_no_rows(profile, items):
    mute = Profile("mute", profile.backends, profile.limits)
    assert not list(measure(mute, profile.backends, Task.DEPTH, items))
    assert all(isinstance(backend, Recorded) for backend in profile.backends.values())
