"""The command ``databroker demo``."""

from pathlib import Path

import click


@click.command()
@click.option("--folder", type=click.Path(path_type=Path, file_okay=False), default="demo",
              show_default=True, help="Where the store and the plot go.")  # fmt: skip
def demo(folder: Path) -> None:
    """Take a tour of half a minute.

    Bluesky's RunEngine records Runs of simulated devices into a store; the tour lists, searches
    and reads them, follows one from a second process, and draws a plot. Its source is
    databroker/cli/tour.py.
    """
    try:
        from databroker.cli.tour import tour
    except ModuleNotFoundError as missing:
        raise click.ClickException(
            f"The demo needs {missing.name}, which is not installed: "
            "run `pip install databroker[demo]`."
        ) from None
    tour(folder)
