"""Recording in several processes leaves nothing to be asked."""

from visionrouter.benchmarks.rainy.ahead import SHARES, Ahead, record_ahead
from visionrouter.benchmarks.rainy.run import Plan, run
from visionrouter.benchmarks.rainy.store import Store
from visionrouter.schema.task import Task

PROFILE = """
schema_version: 1
name: fakes
backends:
  early: {use: fake, params: {kind: specialist}}
  late: {use: fake, params: {kind: generative}}
"""


def test_two_processes_record_all_that_a_run_asks(tmp_path):
    profile = tmp_path / "fakes.yaml"
    profile.write_text(PROFILE)
    folder = tmp_path / "store"
    ticks = []

    def progress(phase, steps):
        assert (phase, steps) == ("recording", 2 * SHARES)
        return lambda: ticks.append(phase)

    record_ahead(Ahead(str(profile), "town", (Task.DEPTH,), ("noise2",), 1, 0), folder, 2, progress)
    assert len(ticks) == 2 * SHARES
    store = Store(folder)
    recorded = len(store)
    assert recorded == 2 * 2, "one scene, clean and noisy, of two backends"
    plan = Plan(
        str(profile),
        "town",
        ("default",),
        tasks=(Task.DEPTH,),
        conditions=("noise2",),
        scenes=1,
        plants=0,
        fault_rates=(),
        draws=100,
    )
    document = run(plan, tmp_path / "out", folder)
    assert len(store) == recorded
    assert document.shots
