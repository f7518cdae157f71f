import numpy as np
import numpy.typing as npt

from visionrouter.benchmarks.labelled.picture import Picture, Thing, Words
from visionrouter.benchmarks.labelled.referring import refer
from visionrouter.schema.arrays import Bool
from visionrouter.schema.task import RelationKind

WORDS = Words(("sky",), ("car", "dog", "cat"), ("red", "blue"))


def mask(column: int) -> Bool:
    out = np.zeros((10, 50), np.bool_)
    out[2:6, column : column + 4] = True
    return out


def picture(*things: tuple[str, int, float, str | None]) -> Picture:
    """Things by label, column, depth in metres and colour."""
    depth = np.full((10, 50), 40.0, np.float32)
    for _, column, metres, _ in things:
        depth[mask(column)] = metres
    seen = tuple(Thing(label, mask(column), colour) for label, column, _, colour in things)
    return Picture("a", np.zeros((10, 50, 3), np.uint8), seen, depth_m=depth)


def meanings(shown: Picture) -> dict[str, npt.NDArray[np.int64]]:
    """What is said of a picture over many draws, and the columns that each saying means."""
    said: dict[str, npt.NDArray[np.int64]] = {}
    for seed in range(300):
        meant = refer(shown, WORDS, np.random.default_rng(seed))
        assert meant is not None
        target, found = meant
        kinds = [r.kind.value for r in target.relations]
        words = " ".join([*kinds, *target.attributes, target.noun]) + ("s" if target.number == "all" else "")
        columns = np.flatnonzero(found.any(0))
        assert np.array_equal(said.setdefault(words, columns), columns), words
    return said


def firsts(said: dict[str, npt.NDArray[np.int64]]) -> dict[str, int]:
    return {words: int(columns[0]) for words, columns in said.items() if columns.size}


def test_each_is_singled_out_by_what_it_alone_is() -> None:
    said = meanings(
        picture(
            ("car", 5, 9.0, "red"), ("car", 20, 4.0, "blue"), ("car", 40, 20.0, "red"), ("dog", 30, 5.0, None)
        )
    )
    assert firsts(said) == {
        f"{RelationKind.LEFTMOST} car": 5, f"{RelationKind.RIGHTMOST} car": 40, f"{RelationKind.NEAREST} car": 20,
        f"{RelationKind.FARTHEST} car": 40, "blue car": 20, "dog": 30,
    }  # fmt: skip
    absent = {words for words, columns in said.items() if not columns.size}
    assert absent == {"cat"}


def test_likes_within_the_margins_are_not_told_apart() -> None:
    said = meanings(picture(("car", 20, 9.0, "red"), ("car", 21, 9.5, "red")))
    assert firsts(said) == {"cars": 20}
    assert said["cars"].size == 5


def test_an_unnamed_colour_forbids_all_colours_of_its_kind() -> None:
    said = meanings(picture(("car", 5, 9.0, "red"), ("car", 40, 9.0, None)))
    assert set(firsts(said)) == {f"{RelationKind.LEFTMOST} car", f"{RelationKind.RIGHTMOST} car"}
    assert {w for w, c in said.items() if not c.size} == {"dog", "cat"}


def test_absent_colours_are_of_what_is_there() -> None:
    said = meanings(picture(("car", 5, 9.0, "red"), ("dog", 30, 9.0, "red"), ("cat", 40, 9.0, "red")))
    assert {w for w, c in said.items() if not c.size} == {"blue car", "blue dog", "blue cat"}
