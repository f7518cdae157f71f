from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visionrouter.schema.errors import SchemaError
from visionrouter.schema.palette import BLACK, NAMED_COLOURS, separated_colours, separation

NAMED = list(NAMED_COLOURS.values())


@pytest.mark.parametrize("n", [2, 3, 4, 5, 9, 14])
@pytest.mark.parametrize("avoid", [(), (BLACK,)])
def test_no_choice_among_the_names_is_better_separated(n, avoid):
    chosen = [c.rgb for c in separated_colours(n, avoid)]
    others = [rgb for rgb in NAMED if rgb not in avoid]
    best = max(separation([*s, *avoid]) for s in combinations(others, n))
    assert separation([*chosen, *avoid]) == pytest.approx(best)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 60), st.lists(st.sampled_from(NAMED), max_size=4))
def test_colours_are_distinct_named_truly_and_keep_off_what_to_avoid(n, avoid):
    chosen = separated_colours(n, avoid)
    assert len({c.rgb for c in chosen}) == len({c.name for c in chosen}) == n
    assert not {c.rgb for c in chosen} & set(avoid)
    for name, rgb in chosen:
        assert rgb == NAMED_COLOURS.get(name) or name == "#" + bytes(rgb).hex()
    assert chosen == separated_colours(n, avoid)


def test_names_come_before_nameless_colours():
    assert {c.name for c in separated_colours(40)} >= set(NAMED_COLOURS)


@pytest.mark.parametrize(("n", "least"), [(8, 1.0), (16, 0.49), (21, 0.49), (40, 0.3), (64, 0.25)])
def test_separation_shrinks_slowly(n, least):
    assert separation([c.rgb for c in separated_colours(n)]) >= least


def test_separation_is_in_sides_of_the_cube():
    assert separation([(0, 0, 0), (255, 255, 255)]) == pytest.approx(3**0.5)
    assert separation([(0, 0, 0)]) == float("inf")


@pytest.mark.parametrize("n", [-1, 257])
def test_impossible_counts_are_refused(n):
    with pytest.raises(SchemaError, match="0 to 256"):
        separated_colours(n)
