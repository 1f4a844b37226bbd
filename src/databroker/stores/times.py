"""What a Run Start says of its time and scan_id, as a store orders and finds it."""

import math
from collections.abc import Mapping
from typing import Any

from databroker.search.index import run_time


def place_of_start(start: Mapping[str, Any]) -> float:
    """Return what orders Runs: the time, and -infinity where that is no number."""
    time = run_time(start)
    return -math.inf if time is None else time


def scan_id_of_start(start: Mapping[str, Any]) -> int | None:
    """Return the scan_id of a Run Start, None where that is no integer of 64 bits."""
    value = start.get("scan_id")
    try:
        number = int(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
    whole = not isinstance(value, bool | str | bytes) and number == value
    return number if whole and -(2**63) <= number < 2**63 else None
