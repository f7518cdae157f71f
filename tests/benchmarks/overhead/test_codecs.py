import pytest

from visionrouter.benchmarks.overhead.codecs import main, measure, rows


def test_every_code_is_measured_beside_the_baseline():
    measured = rows(48, 64, repeats=1)
    names = " ".join(row.name for row in measured)
    for code in ("depth", "normals", "palette", "instances", "keypoints", "hilbertmap"):
        assert f"{code} encode" in names
        assert f"{code} decode" in names
    assert all(0 < row.least_ms <= row.median_ms and row.peak_mb > 0 for row in measured)


def test_memory_is_the_peak_of_the_call():
    row = measure("five megabytes", lambda: bytearray(5_000_000), repeats=2)
    assert row.peak_mb == pytest.approx(5, rel=0.01)


def test_the_table_names_machine_versions_and_size(capsys):
    main(["--height", "32", "--width", "40", "--repeats", "1"])
    machine, size, *table = capsys.readouterr().out.splitlines()
    assert "numpy" in machine
    assert "hilbertmap 0.1.3" in machine
    assert size.startswith("32x40, median of 1")
    assert "median ms" in table[1]
