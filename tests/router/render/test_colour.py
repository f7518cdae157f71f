from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visionrouter.render.colour import CATEGORICAL, ink, luminance, of_instance, of_labels
from visionrouter.render.viridis import VIRIDIS

# Machado, Oliveira & Fernandes (2009), severity 1.0, on linear RGB
BLINDNESS = {
    "none": np.eye(3),
    "protan": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deutan": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritan": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def lab(rgb, seen_as="none"):
    linear = np.asarray(rgb, float) / 255
    linear = np.where(linear <= 0.04045, linear / 12.92, ((linear + 0.055) / 1.055) ** 2.4)
    linear = np.clip(linear @ np.asarray(BLINDNESS[seen_as]).T, 0, 1)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = linear @ to_xyz.T / [0.9505, 1, 1.089]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], -1)


@pytest.mark.parametrize("seen_as", BLINDNESS)
def test_strong_colours_stay_apart(seen_as):
    colours = lab(CATEGORICAL[:7], seen_as)
    nearest = min(np.linalg.norm(a - b) for a, b in itertools.combinations(colours, 2))
    assert nearest > 10


@pytest.mark.parametrize("rgb", CATEGORICAL)
def test_text_on_a_chip_has_contrast(rgb):
    light, dark = sorted((luminance(rgb), luminance(ink(rgb))), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5


@given(st.lists(st.text(max_size=8), max_size=len(CATEGORICAL), unique=True), st.randoms())
@settings(max_examples=50, deadline=None)
def test_labels_get_colours_of_their_own_in_any_order(labels, random):
    colours = of_labels(labels)
    shuffled = list(labels) * 2
    random.shuffle(shuffled)
    assert of_labels(shuffled) == colours
    assert len(set(colours.values())) == len(labels)


def test_a_label_keeps_its_colour_unless_another_wants_it():
    alone = of_labels(["person"])["person"]
    others = [w for w in ("car", "dog", "bus", "cat", "cup") if of_labels([w])[w] != alone]
    assert others
    assert of_labels([others[0], "person"])["person"] == alone


def test_more_labels_than_colours_and_more_things_than_colours():
    many = of_labels(str(i) for i in range(40))
    assert len(many) == 40
    assert of_instance(0) == of_instance(len(CATEGORICAL))


def test_viridis_is_uniform():
    colours = lab(VIRIDIS)[::5]
    assert (np.diff(colours[:, 0]) > 0).all()
    steps = np.linalg.norm(np.diff(colours, axis=0), axis=1)
    assert steps.max() / steps.min() < 2.5
    assert VIRIDIS[0].tolist() == [68, 1, 84]
    assert VIRIDIS[-1].tolist() == [253, 231, 37]
