"""What `visionrouter fetch` brings, and what it says of it first."""

from __future__ import annotations

from pathlib import Path

import click

from visionrouter.backends import hub
from visionrouter.backends.base import Weights
from visionrouter.backends.licences import UNKNOWN, is_permissive, known
from visionrouter.backends.profile import load_profile, profile_names
from visionrouter.schema.errors import FetchError


def wanted(what: str, profile: str | None, revision: str | None) -> tuple[Weights, ...]:
    """The weights of a backend, or of a hub id. Raises `FetchError` naming what there is."""
    if hub.is_hub_id(what) and profile is None:
        return (Weights(what, revision),)
    if revision is not None:
        raise FetchError("--revision goes with a HUB_ID; a backend's is in its profile")
    profiles = (profile,) if profile is not None else profile_names()
    names: list[str] = []
    for each in profiles:
        backends = load_profile(each).backends
        if what in backends:
            weights = backends[what].sources()
            if not weights:
                raise FetchError(f"{what}: needs no weights from the hub")
            return weights
        names += backends
    raise FetchError(
        f"{what!r} is neither a hub id nor a backend of {', '.join(profiles)}; there are {', '.join(dict.fromkeys(names))}"
    )


def fetched(weights: Weights, accept_licence: bool) -> Path:
    """The folder that weights were brought into. Raises `FetchError` where their licence was not accepted."""
    if not hub.is_hub_id(weights.source) or Path(weights.source).expanduser().exists():
        click.echo(f"{weights.source}: a local path; nothing to fetch", err=True)
        return Path(weights.source)
    found = hub.look_up(weights.source, revision=weights.revision, patterns=weights.patterns)
    row = known(weights.source)
    licence = row.licence if row.licence != UNKNOWN else found.licence
    click.echo(f"{found.source}: {found.bytes / 1e6:,.1f} MB in {len(found.files)} files", err=True)
    click.echo(f"  licence {licence} ({row.note}); the hub says {found.licence}", err=True)
    if not found.files:
        raise FetchError(f"{found.source}: the repository holds no file that is wanted; is it the right one?")
    if not accept_licence and not _is_free(licence, found.licence):
        raise FetchError(
            f"{found.source}: {licence} is not permissive; read it, and if it lets you, give --accept-licence"
        )
    return hub.fetch(found.source, revision=found.revision, patterns=weights.patterns)


def _is_free(licence: str, stated: str) -> bool:
    """Whether neither the table's word nor the hub's asks for a look; the hub's "other" says nothing."""
    return is_permissive(licence) and (is_permissive(stated) or stated in (UNKNOWN, "other"))
