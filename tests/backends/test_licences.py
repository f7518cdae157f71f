"""The weights' own licence decides, by hub id; the first pattern that fits."""

import pytest

from visionrouter.backends.licences import TABLE, UNKNOWN, is_permissive, known, licence_of
from visionrouter.policies.licences import Licences


@pytest.mark.parametrize(
    ("source", "licence", "gated"),
    [
        ("black-forest-labs/FLUX.2-klein-base-4B", "Apache-2.0", False),
        ("black-forest-labs/FLUX.2-klein-9B", "non-commercial", True),
        ("FunAILab/Open-Vision-Banana", "Apache-2.0", False),
        ("FunAILab/Open-Vision-Banana-9B", "non-commercial", False),
        ("prs-eth/marigold-depth-lcm-v1-0", "Apache-2.0", False),
        ("prs-eth/marigold-iid-lighting-v1-1", "OpenRAIL", False),
        ("somebody/something", UNKNOWN, False),
        ("/home/me/weights", UNKNOWN, False),
    ],
)
def test_by_hub_id_in_any_case(source: str, licence: str, gated: bool) -> None:
    for name in (source, source.lower()):
        assert licence_of(name) == licence
        assert known(name).gated is gated


def test_every_row_is_reached_by_an_id_of_its_own() -> None:
    for row in TABLE:
        assert known(row.pattern.replace("*", "x")) in TABLE
        assert row.pattern == row.pattern.lower()
        assert row.licence
        assert row.note


def test_no_restricted_row_passes_for_permissive_or_slips_past_a_policy() -> None:
    policy = Licences(deny=("non-commercial", "AGPL-3.0"))
    for row in TABLE:
        assert not (is_permissive(row.licence) and row.gated)
        if "NC" in row.licence or "commercial" in row.licence or "AGPL" in row.licence:
            assert not is_permissive(row.licence)
            assert not policy.permits(row.licence)
