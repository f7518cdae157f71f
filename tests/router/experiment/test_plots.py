"""Numbers of points on a plot can be read."""

import re

from visionrouter.experiment.plots import Dot, lines


def numbers(svg: str) -> list[str]:
    return re.findall(r"<text class=\"(?:end)?\" [^>]*>([\d, ]+)</text>", svg[svg.index("<circle") :])


def test_points_that_lie_on_each_other_share_one_number() -> None:
    dots = [Dot("a", 0, 0, "a"), Dot("b", 10, 1, "b"), Dot("c", 10, 1.001, "b"), Dot("d", 0, 1, "a")]
    svg = lines([], "cost", "loss", dots)
    assert numbers(svg) == ["1", "2, 3", "4"]
    assert svg.count("<circle") == 4
    assert [name in svg for name in ("1 a", "2 b", "3 c", "4 d")] == [True] * 4
