"""Word lists as text: one string, words between blanks."""

from __future__ import annotations


def words(text: str) -> frozenset[str]:
    """The blank-separated words of a string."""
    return frozenset(text.split())
