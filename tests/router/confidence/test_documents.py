"""A calibration file comes back as it went, and a file that is not what was made is refused with the place."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from visionrouter.confidence.calibrator import Calibrator
from visionrouter.confidence.certify import certify
from visionrouter.confidence.documents import (
    CalibrationDocument,
    Provenance,
    Subject,
    calibrator_digest,
    load_calibration,
    parse_calibration,
    save_calibration,
)
from visionrouter.confidence.pixels import PixelCalibrator
from visionrouter.confidence.scope import MadeWith
from visionrouter.schema.errors import CalibrationError


@pytest.fixture(scope="module")
def document(calibration, scope, digests):
    calibrator = Calibrator.fit(calibration.rows, calibration.good, scope=scope, method="isotonic")
    confidence = np.array([calibrator.confidence(row) for row in calibration.rows])
    groups = ["rain" if i % 50 == 0 else "clear" for i in range(len(confidence))]
    outcomes = certify(
        confidence,
        (~calibration.good).astype(float),
        scope=scope,
        digests=digests,
        alpha=0.05,
        delta=0.1,
        groups=groups,
    )
    pixels = PixelCalibrator(scope, tuple(np.linspace(0.1, 0.9, 256).tolist()), 7)
    return CalibrationDocument(
        provenance=Provenance(made_by="visionrouter 0", data="d" * 64, items=1500),
        subjects=(Subject(scope=scope, made_with=MadeWith("w" * 64, "e" * 64), sample={"a": (0.0, 1.0)}),),
        calibrators=(calibrator,),
        pixel_calibrators=(pixels,),
        outcomes=outcomes,
    ).signed()


def test_round_trip(document, tmp_path, scope):
    path = tmp_path / "depth.json"
    written = save_calibration(document, path)
    read = load_calibration(path)
    assert read == written == document
    assert read.calibrator(scope) == document.calibrators[0]
    assert read.outcomes_of(scope) == document.outcomes
    assert {type(o).__name__ for o in read.outcomes} == {"Certificate", "Infeasible"}
    assert [p.name for p in tmp_path.iterdir()] == ["depth.json"]


@given(st.floats(0.001, 1), st.floats(-1e12, 1e12))
def test_numbers_survive_exactly(document, l2, intercept):
    from dataclasses import replace

    calibrator = replace(document.calibrators[0], l2=l2, intercept=intercept)
    signed = document.model_copy(update={"calibrators": (calibrator,)}).signed()
    assert parse_calibration(signed.model_dump_json().encode(), "x").calibrators == (calibrator,)


def edited(document, edit):
    data = json.loads(document.model_dump_json())
    edit(data)
    return json.dumps(data).encode()


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda d: d["outcomes"][0].update(alpha=0.01), "digest: is not that of the content"),
        (lambda d: d["calibrators"][0].update(intercept=9.0), "digest: is not that of the content"),
        (lambda d: d.update(digest="0" * 64), "digest: is not that of the content"),
        (lambda d: d.update(digest=""), "digest: is not that of the content"),
        (lambda d: d.update(note="hello"), "note: Extra inputs"),
        (lambda d: d["outcomes"][0].update(note=1), r"outcomes\[0\].*note"),
        (
            lambda d: d["calibrators"][0]["features"][1].update(note=1),
            r"calibrators\[0\]\.features\[1\]\.note",
        ),
        (
            lambda d: d["calibrators"][0]["features"][1].pop("weight"),
            r"features\[1\]\.weight: Field required",
        ),
        (lambda d: d["calibrators"][0]["features"][1].update(spread=0.0), "spread and unit must be over 0"),
        (lambda d: d["calibrators"][0]["rates"].reverse(), "rates that never fall"),
        (lambda d: d["pixel_calibrators"][0].update(table=[0.5]), "256 probabilities"),
        (lambda d: d.update(schema_version=2), "schema_version"),
        (lambda d: d["calibrators"][0].update(intercept=float("nan")), "NaN is no number here"),
    ],
)
def test_an_edited_file_is_refused(document, edit, said):
    with pytest.raises(CalibrationError, match=f"depth.json: .*{said}"):
        parse_calibration(edited(document, edit), "depth.json")


def test_what_is_no_calibration_file_is_refused(tmp_path):
    with pytest.raises(CalibrationError, match=r"x.json:2: is not JSON"):
        parse_calibration(b'{"a": 1,\n b}', "x.json")
    with pytest.raises(CalibrationError, match="'a' is given twice"):
        parse_calibration(b'{"a": 1, "a": 2}', "x.json")
    with pytest.raises(CalibrationError, match="cannot be read"):
        load_calibration(tmp_path / "absent.json")
    with pytest.raises(CalibrationError):
        parse_calibration(b"[" * 100_000, "x.json")
    with pytest.raises(CalibrationError):
        parse_calibration(b"\xff\xfe", "x.json")


def test_a_calibrator_has_one_digest(document, calibration, scope):
    again = Calibrator.fit(calibration.rows, calibration.good, scope=scope, method="isotonic")
    assert calibrator_digest(again) == calibrator_digest(document.calibrators[0])
    other = Calibrator.fit(calibration.rows, calibration.good, scope=scope)
    assert calibrator_digest(other) != calibrator_digest(again)
