"""``python -m benchmarks.recording PATH``: records small Runs until its input ends."""

import select
import sys
import time

import databroker
from benchmarks import workload

FIRST = 10_000_000
"""The scan_id of the first Run: newer than all that are there."""

PAUSE = 0.01
"""Between two documents, in seconds."""


def record(path: str) -> None:
    """Record Runs of ten Events, a document at a time."""
    with databroker.open(path) as catalog:
        number = FIRST
        while not select.select([sys.stdin], [], [], 0)[0]:
            for name, doc in workload.small_run(number):
                catalog.insert(name, doc)
                time.sleep(PAUSE)
            number += 1
            print(number, flush=True)


if __name__ == "__main__":
    record(sys.argv[1])
