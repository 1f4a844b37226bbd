"""A second process of the demo: it opens a store that another one is recording in, and watches."""

import sys
import time
from typing import TYPE_CHECKING

import databroker

if TYPE_CHECKING:
    from databroker.core import BlueskyRun
    from databroker.v2 import Broker

INTERVAL = 0.1
"""Seconds between two looks."""

PATIENCE = 30.0
"""Seconds until a follower gives up."""


def follow(catalog: "Broker") -> None:
    """Print how the next Run grows, until it ends."""
    say(f"opened {catalog.name}: {len(catalog)} Runs; waiting for a new one")
    known = len(catalog)
    deadline = time.monotonic() + PATIENCE
    while len(catalog) == known and time.monotonic() < deadline:
        time.sleep(INTERVAL)
    if len(catalog) > known:
        watch(catalog[-1], deadline)


def watch(run: "BlueskyRun", deadline: float) -> None:
    """Print the number of Events of a Run and the newest reading, whenever there are more."""
    say(f"Run {run.start['scan_id']} began")
    seen = 0
    while time.monotonic() < deadline:
        stop = run.stop  # asked first: what comes before the Run Stop is counted below
        count = run.primary.shape[0] if "primary" in run else 0
        if count > seen:
            newest = run.primary.read()["noisy_det"].values[-1]
            say(f"Event {count}: noisy_det is {newest:.3f}")
            seen = count
        if stop is not None:
            say(f"Run {run.start['scan_id']} ended: {stop['exit_status']}")
            return
        time.sleep(INTERVAL)


def say(text: str) -> None:
    """Print a line at once."""
    print(f"    [another process] {text}", flush=True)


if __name__ == "__main__":
    with databroker.open(sys.argv[1], mode="read") as catalog:
        follow(catalog)
