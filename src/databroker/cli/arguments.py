"""What the commands take: which store, and which Run."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from databroker.v2 import Broker

VARIABLE = "DATABROKER_STORE"
"""Names the store of those who do not want to type it."""

NEGATIVE_NUMBERS = {"ignore_unknown_options": True}
"""Settings of a command that takes -1 as an argument; click would look for an option ``-1``."""


def _store(context: click.Context, parameter: click.Parameter, given: Sequence[str]) -> str:
    """Return the store that was given, else the one that the environment names."""
    for text in given:
        _refuse_option(context, text)
    match given:
        case [store]:
            return store
        case []:
            store = os.environ.get(VARIABLE)
            if store:
                return store
            raise click.UsageError(f"Which STORE? Give its path first, or set {VARIABLE}.", context)
        case _:
            raise click.UsageError(f"Got too many arguments: {' '.join(given[1:])}", context)


def _run(context: click.Context, parameter: click.Parameter, given: str) -> str:
    """Return how a Run was given: negative numbers are no options."""
    if not given.removeprefix("-").isdecimal():
        _refuse_option(context, given)
    return given


def _refuse_option(context: click.Context, text: str) -> None:
    if text.startswith("-"):
        raise click.NoSuchOption(text, ctx=context)


# The argument that takes several leaves the last ones to those that must be there, so that
# `show RUN` and `show STORE RUN` can both be said.
store_argument = click.argument("store", nargs=-1, metavar="[STORE]", callback=_store)

run_argument = click.argument("run", callback=_run)


def opened(store: str) -> "Broker":
    """Open a store for reading: looking at it never makes or changes a file."""
    from databroker import open as open_catalog

    return open_catalog(store, mode="read")
