from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from visionrouter.benchmarks.scenes import DAMAGES, SEVERITIES, Views, damage
from visionrouter.benchmarks.scenes.damage.weather import FOG_VISIBILITY_M, extinction, veil
from visionrouter.schema.errors import RequestError


@pytest.mark.parametrize("kind", sorted(DAMAGES))
def test_damage_grows_with_severity(kind: str, views: Views) -> None:
    """On the average over pictures and seeds, each severity strays farther from the clean picture."""
    clean, depth = views.rgb[::2], views.depth_m[::2]
    levels = [
        float((damage(clean, depth, kind, s, 5) - clean).abs().mean()) for s in range(1, SEVERITIES + 1)
    ]
    assert levels[0] > 0.001
    assert all(b > a for a, b in pairwise(levels)), levels


@pytest.mark.parametrize("kind", sorted(DAMAGES))
def test_damage_is_a_pure_function_of_picture_depth_severity_and_seed(kind: str, views: Views) -> None:
    rgb, depth = views.rgb.clone(), views.depth_m.clone()
    seeds = torch.arange(len(views)) + 9
    together = damage(rgb, depth, kind, 4, seeds)
    assert torch.equal(rgb, views.rgb)
    assert torch.equal(depth, views.depth_m)
    assert together.shape == rgb.shape
    assert bool(together.isfinite().all())
    assert 0 <= float(together.min()) <= float(together.max()) <= 1
    alone = damage(rgb[3:4], depth[3:4], kind, torch.tensor([4]), seeds[3:4])
    assert torch.equal(alone[0], together[3])
    mixed = damage(rgb[:2], depth[:2], kind, torch.tensor([4, 1]), seeds[:2])
    assert torch.equal(mixed[0], together[0])
    assert not torch.equal(mixed[1], together[1])


@given(st.floats(1, 2000), st.floats(0, 1), st.floats(0.2, 1), st.floats(0.5, 900))
@settings(max_examples=40, deadline=None)
def test_fog_is_koschmiders_law(visibility: float, clear: float, air: float, metres: float) -> None:
    beta = extinction(torch.tensor(visibility))
    assert float(beta) == pytest.approx(2.996 / visibility)
    seen = float(veil(torch.tensor(clear), torch.tensor(metres), beta, torch.tensor(air)))
    through = float(torch.exp(torch.tensor(-2.996 / visibility * metres)))
    assert seen == pytest.approx(clear * through + air * (1 - through), abs=1e-5)


def test_at_its_visibility_fog_leaves_a_twentieth_of_the_contrast() -> None:
    pictures = torch.stack([torch.zeros(3, 4, 4), torch.ones(3, 4, 4)])
    for severity, visibility in enumerate(FOG_VISIBILITY_M, 1):
        depth = torch.full((2, 4, 4), visibility)
        foggy = damage(pictures, depth, "fog", severity, torch.tensor([1, 1]))
        assert float((foggy[1] - foggy[0]).mean()) == pytest.approx(0.05, abs=1e-3)


def test_weather_hides_far_things_more() -> None:
    stripes = (torch.arange(64) % 2).float().expand(1, 3, 64, 64)
    near, far = (
        damage(stripes, torch.full((1, 64, 64), metres), "snow", 3, 1).std(-1).mean()
        for metres in (0.5, 60.0)
    )
    assert float(far) < 0.5 * float(near)


def test_unknown_damage_and_severity_are_refused(views: Views) -> None:
    with pytest.raises(RequestError, match="unknown damage 'hail': choose one of fog, rain"):
        damage(views.rgb, views.depth_m, "hail", 1)
    for severity in (0, 6):
        with pytest.raises(RequestError, match=f"severity {severity} is out of range"):
            damage(views.rgb, views.depth_m, "fog", severity)


def test_missing_depth_is_as_far_as_the_sky() -> None:
    rgb, depth = torch.rand(1, 3, 8, 8), torch.full((1, 8, 8), torch.inf)
    unknown = torch.full((1, 8, 8), torch.nan)
    assert torch.equal(damage(rgb, depth, "fog", 2, 1), damage(rgb, unknown, "fog", 2, 1))
