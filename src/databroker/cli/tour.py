"""The tour that ``databroker demo`` takes: record Runs, find them, read, follow and plot them.

Start at `tour`, at the end. The devices are simulated; the RunEngine and the store are real.
"""

import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click
from bluesky import RunEngine
from bluesky.plan_stubs import pause, trigger_and_read
from bluesky.plans import count, grid_scan
from bluesky.preprocessors import SupplementalData, run_decorator
from bluesky.utils import RunEngineInterrupted
from matplotlib.figure import Figure  # noqa: TID253 - this module is imported to use it
from ophyd.sim import hw

import databroker

if TYPE_CHECKING:
    from databroker.core import BlueskyRun
    from databroker.v2 import Broker

devices = hw()

SIDE = 21
"""Points on each side of the grid."""


# Record


def record(catalog: "Broker") -> RunEngine:
    """Record a count, a grid scan with a baseline, and a Run that is aborted."""
    say("Record: a RunEngine gives every document to the catalog, which stores it at once.")
    code("RE = RunEngine(); RE.subscribe(catalog.insert)")
    RE = RunEngine({"scan_id": newest_scan_id(catalog), "proposal": "demo"})  # noqa: N806
    RE.subscribe(catalog.insert)

    code("RE(count([noisy_det], num=20), sample='copper')")
    RE(count([devices.noisy_det], num=20), sample="copper")

    # What stays where it is during a scan is read once before and once after it.
    code("RE.preprocessors.append(SupplementalData(baseline=[motor3]))")
    RE.preprocessors.append(SupplementalData(baseline=[devices.motor3]))
    code(f"RE(grid_scan([det4], motor1, -2, 2, {SIDE}, motor2, -2, 2, {SIDE}), sample='copper')")
    axes = (devices.motor1, -2, 2, SIDE, devices.motor2, -2, 2, SIDE)
    RE(grid_scan([devices.det4], *axes), sample="copper")

    code("RE(half_a_run())")
    try:
        RE(half_a_run())
    except RunEngineInterrupted:
        code("RE.abort()")
        RE.abort()
    return RE


def newest_scan_id(catalog: "Broker") -> int:
    """Return the scan_id to go on from: the store may be that of an earlier demo."""
    return catalog[-1].start["scan_id"] if catalog else 0


@run_decorator(md={"plan_name": "half_a_run", "sample": "iron"})
def half_a_run() -> Iterator[Any]:
    """Measure once, then pause: for that, RE() raises RunEngineInterrupted."""
    yield from trigger_and_read([devices.noisy_det])
    yield from pause()


# Find, read


def find(catalog: "Broker") -> None:
    """List the catalog, search it."""
    say("List: the newest Run comes first.")
    code("print(catalog)")
    click.echo(catalog)

    say("Search: in MongoDB's language, over all that is written in the Run Start.")
    for query in ({"sample": "copper"}, {"scan_id": {"$gte": 2}, "shape": {"$exists": True}}):
        code(f"catalog.search({query})")
        click.echo(catalog.search(query))


def read(run: "BlueskyRun") -> None:
    """Show a Run, and its data."""
    say("Look at a Run: here the grid scan, looked up by its scan_id.")
    code(f"run = catalog[{run.start['scan_id']}]; print(run)")
    click.echo(run)

    say("Read a stream: an xarray Dataset, its columns labeled as the devices named them.")
    code("run.primary.read()")
    click.echo(run.primary.read())


# Follow


def follow(RE: RunEngine, path: Path) -> None:  # noqa: N803
    """Record a slow Run, while another process reads it from the same file."""
    say("Follow: another process opens the same file, and reads a Run while it is recorded.")
    code(f"python -m databroker.cli.follower {path}")
    command = [sys.executable, "-m", "databroker.cli.follower", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as follower:  # noqa: S603
        assert follower.stdout is not None  # noqa: S101 - it is piped
        click.echo(follower.stdout.readline(), nl=False)  # it watches: begin
        relay = threading.Thread(target=pass_on, args=[follower.stdout])
        relay.start()
        code("RE(count([noisy_det], num=10, delay=0.3))")
        RE(count([devices.noisy_det], num=10, delay=0.3), sample="copper")
        relay.join()


def pass_on(lines: IO[str]) -> None:
    """Show lines as they come."""
    for line in lines:
        click.echo(line, nl=False)


# Plot


def plot(grid: "BlueskyRun", counted: "BlueskyRun", path: Path) -> None:
    """Draw the two Runs, side by side."""
    say("Plot: the numbers are numpy arrays, the metadata say what they mean.")
    figure = Figure(figsize=(10, 4.5), layout="constrained")
    left, right = figure.subplots(1, 2)

    points = counted.primary.read()
    left.plot(points.time - counted.start["time"], points["noisy_det"], marker="o")
    left.set(title=title(counted), xlabel="time since the start (s)", ylabel="noisy_det")

    points = grid.primary.read()
    names = ("motor2", "motor1", "det4")
    drawn = right.pcolormesh(*(points[name].values.reshape(grid.start["shape"]) for name in names))
    right.set(title=title(grid), xlabel="motor2", ylabel="motor1", aspect="equal")
    figure.colorbar(drawn, label="det4")

    figure.savefig(path, dpi=120)
    click.echo(f"The plot is in {path}")


def title(run: "BlueskyRun") -> str:
    """Return what to write above a plot."""
    return f"{run.start['plan_name']}, scan {run.start['scan_id']} of {run.start['sample']}"


# The words


def say(text: str) -> None:
    """Say what comes next."""
    click.secho(f"\n{text}", bold=True)


def code(text: str) -> None:
    """Show the line that is run."""
    click.secho(f">>> {text}", fg="cyan")


def tour(folder: Path) -> None:
    """Take the whole tour; the store and the plot stay in the folder."""
    # An aborted plan is part of the tour: no need to log its traceback.
    logging.getLogger("bluesky").setLevel(logging.CRITICAL)
    folder.mkdir(parents=True, exist_ok=True)
    path, picture = folder / "demo.db", folder / "demo.png"

    say("Open: a store is one file, which is made if it is not there.")
    code(f'catalog = databroker.open("{path}")')
    with databroker.open(path) as catalog:
        RE = record(catalog)  # noqa: N806
        find(catalog)
        counted, grid = catalog[-3], catalog[-2]
        read(grid)
        follow(RE, path)
        plot(grid, counted, picture)

    say("Look around:")
    click.echo(f"  databroker list {path}\n  databroker show {path} -1")
