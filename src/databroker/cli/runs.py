"""The commands about the Runs of a store: ``list``, ``show`` and ``backup``."""

from collections.abc import Iterable, Mapping
from itertools import islice
from pprint import pformat
from textwrap import indent
from typing import TYPE_CHECKING, Any

import click

from databroker.cli.arguments import NEGATIVE_NUMBERS, opened, run_argument, store_argument

if TYPE_CHECKING:
    from databroker.core import BlueskyRun
    from databroker.v2 import Broker

TITLES = ("scan_id", "uid", "time", "plan_name", "status")

SHOWN_ABOVE = ("uid", "scan_id", "plan_name", "time")
"""What the text of a Run says of its Run Start."""

WIDTH = 96


@click.command(
    "list",
    epilog="""\b
Examples:
  databroker list runs.db
  databroker list runs.db --limit 100
  databroker list                        of the store that DATABROKER_STORE names
""",
)
@store_argument
@click.option("-n", "--limit", type=click.IntRange(min=1), default=20, show_default=True,
              help="How many Runs at most.")  # fmt: skip
def list_runs(store: str, limit: int) -> None:
    """List the Runs of a STORE, the newest first."""
    with opened(store) as catalog:
        _list(catalog, limit)


def _list(catalog: "Broker", limit: int) -> None:
    from databroker.catalogs.display import status_text, time_text

    count = len(catalog)
    rows = [
        (
            str(run.start.get("scan_id", "")),
            run.uid[:8],
            time_text(run.start.get("time"))[:19],
            str(run.start.get("plan_name", "")),
            status_text(run.stop),
        )
        for run in islice(catalog.values(), limit)
    ]
    if rows:
        click.echo(_table([TITLES, *rows]))
    if count > limit:
        click.echo(f"… and {count - limit:,} older; --limit {count} lists all.")
    elif not rows:
        click.echo("The store holds no Runs yet.")


def _table(rows: list[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (map(str.ljust, row, widths) for row in rows)
    return "\n".join("  ".join(line).rstrip() for line in lines)


@click.command(
    context_settings=NEGATIVE_NUMBERS,
    epilog="""\b
RUN is one of
  -1     the newest Run; -2 the one before it, …
  5f3a   a uid, or the beginning of one
  42     a scan_id: the newest Run that has it

\b
Examples:
  databroker show runs.db -1
  databroker show -1                     of the store that DATABROKER_STORE names
""",
)
@store_argument
@run_argument
def show(store: str, run: str) -> None:
    """Show a RUN of a STORE.

    What its Run Start says, how it ended, its streams and their data keys.
    """
    with opened(store) as catalog:
        click.echo("\n\n".join(_parts(catalog[run])))


def _parts(run: "BlueskyRun") -> Iterable[str]:
    yield str(run)
    yield from map(str, islice(run.values(), 10))
    items = {name: value for name, value in run.start.items() if name not in SHOWN_ABOVE}
    if items:
        yield "Run Start\n" + _items(items)
    if run.stop and run.stop.get("reason"):
        yield f"Reason of the end\n  {run.stop['reason']}"


def _items(items: Mapping[str, Any]) -> str:
    """Return a mapping, an item a line, the values in a column of their own."""
    width = max(map(len, items)) + 4
    return "\n".join(
        f"  {name}".ljust(width)
        + indent(pformat(value, width=WIDTH - width, compact=True), " " * width).lstrip()
        for name, value in items.items()
    )


@click.command(
    epilog="""\b
Examples:
  databroker backup runs.db copy.db
  databroker backup copy.db              of the store that DATABROKER_STORE names
""",
)
@store_argument
@click.argument("target")
def backup(store: str, target: str) -> None:
    """Copy a STORE to a new file, TARGET.

    Others may record in the store meanwhile.
    """
    with opened(store) as catalog:
        catalog.backup(target)
    with opened(target) as copy:
        count = len(copy)
    click.echo(f"{target} holds {count:,} {'Run' if count == 1 else 'Runs'}.")
