"""Which licences a policy lets run."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

NON_COMMERCIAL = "non-commercial"
"""The word for every licence that forbids commercial use."""
KNOWN = (
    "Apache-2.0", "MIT", "BSD-2-Clause", "BSD-3-Clause", "ISC", "Unlicense", "MPL-2.0",
    "GPL-2.0", "GPL-3.0", "LGPL-2.1", "LGPL-3.0", "AGPL-3.0",
    "CC0-1.0", "CC-BY-4.0", "CC-BY-SA-4.0", "CC-BY-NC-4.0", "CC-BY-NC-SA-4.0",
    "OpenRAIL", "proprietary", NON_COMMERCIAL, "unknown",
)  # fmt: skip
"""Ids that are common among models, to tell a typo from a licence."""

_JOIN = re.compile(r"\s+(?:AND|OR)\s+|[()]")
_FORBIDS_COMMERCE = re.compile(r"\bnc\b|non-?commercial|research-only")


def parts_of(licence: str) -> tuple[str, ...]:
    """The ids an SPDX expression is made of, lower case, without `-only` and `-or-later`."""
    ids = (part.strip().lower() for part in _JOIN.split(licence))
    return tuple(part.removesuffix("-only").removesuffix("-or-later") for part in ids if part) or ("unknown",)


def matches(part: str, word: str) -> bool:
    """True when one id of `parts_of` is what a policy's `word` means."""
    if word.lower() == NON_COMMERCIAL:
        return bool(_FORBIDS_COMMERCE.search(part))
    return parts_of(word) == (part,)


@dataclass(frozen=True, slots=True)
class Licences:
    """`deny` wins over `allow`; `allow` is None where every licence that is not denied may run. `outer` must permit too."""

    deny: tuple[str, ...] = ()
    allow: tuple[str, ...] | None = None
    outer: Licences | None = None

    def within(self, outer: Licences) -> Licences:
        """These and those of `outer`: what runs must be permitted by both."""
        return replace(self, outer=outer)

    def permits(self, licence: str) -> bool:
        """True when no part of the SPDX expression is denied and, with an `allow` list, each is on it."""
        parts = parts_of(licence)
        if self.outer is not None and not self.outer.permits(licence):
            return False
        if any(matches(part, word) for part in parts for word in self.deny):
            return False
        return self.allow is None or all(any(matches(part, word) for word in self.allow) for part in parts)


ALL_PERMITTED = Licences()
