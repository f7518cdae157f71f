"""The one command that downloads: it tells size and licence, then fetches what it was asked for."""

from __future__ import annotations

import click


@click.command()
@click.argument("what", metavar="NAME|HUB_ID")
@click.option("--profile", help="The profile that NAME is a backend of; by default every one in the package.")
@click.option("--revision", help="Of a HUB_ID: a branch, a tag or a commit.")
@click.option(
    "--accept-licence", is_flag=True, help="You have read the licence, and it lets you do what you do."
)
def fetch(what: str, profile: str | None, revision: str | None, accept_licence: bool) -> None:
    """Download the weights of the backend NAME, or of HUB_ID, into the hub's cache.

    Says size and licence first. Nothing else in visionrouter ever downloads.
    """
    from visionrouter.cli.download import fetched, wanted

    for weights in wanted(what, profile, revision):
        click.echo(fetched(weights, accept_licence))
