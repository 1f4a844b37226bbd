"""Deterministic documents: the same Runs on every machine and at every time."""

import random
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

Document = dict[str, Any]
Named = tuple[str, Document]

EPOCH = 1_700_000_000.0
PLANS = ("count", "scan", "grid_scan", "rel_scan", "fly")
LABELS = ("open", "closed", "moving", "fault")
FLOAT_KEYS = 9
"""How many columns of floats a Run has, beside one column of texts."""


def uids(seed: int) -> Iterator[str]:
    """Yield uuids without end; the first is the uid of the Run with this seed."""
    random_bits = random.Random(seed)
    while True:
        yield str(uuid.UUID(int=random_bits.getrandbits(128), version=4))


def uid_of(seed: int) -> str:
    """Return the uid of the Run that this seed makes."""
    return next(uids(seed))


def start(uid: str, scan_id: int) -> Document:
    """Return a Run Start with as much metadata as a beamline writes."""
    return {
        "uid": uid,
        "time": EPOCH + 60.0 * scan_id,
        "scan_id": scan_id,
        "plan_name": PLANS[scan_id % len(PLANS)],
        "plan_type": "generator",
        "plan_args": {
            "detectors": ["det0"],
            "num": 10,
            "args": {"start": -1.0, "stop": 1.0, "n": {"deep": scan_id}},
        },
        "detectors": ["det0", "det1"],
        "motors": ["m1"],
        "num_points": 10,
        "num_intervals": 9,
        "hints": {"dimensions": [[["m1"], "primary"]]},
        "sample_name": f"sample-{scan_id % 37:03d}",
        "proposal_id": f"P-{300_000 + scan_id % 101}",
        "operator": f"user{scan_id % 11}",
        "beamline_id": "00-ID",
        "facility": "bench",
        "cycle": "2026-1",
        "energy_keV": 8.0 + scan_id % 50 / 10,
        "purpose": "benchmark",
        "tags": ["a", "b", f"t{scan_id % 5}"],
    }


def scalars(events: int, keys: int, seed: int) -> dict[str, list[Any]]:
    """Return columns of floats, and one of texts."""
    rng = np.random.default_rng(seed)
    columns: dict[str, list[Any]] = {
        f"det{n}": rng.normal(size=events).tolist() for n in range(keys)
    }
    labels = rng.integers(len(LABELS), size=events).tolist()
    return {**columns, "label": [LABELS[label] for label in labels]}


def mixed(events: int, keys: int, seed: int) -> dict[str, list[Any]]:
    """Return columns of floats, in which one value in five is an integer and one in ten None."""
    rng = np.random.default_rng(seed)
    columns: dict[str, list[Any]] = {}
    for n in range(keys):
        values: list[Any] = rng.normal(size=events).tolist()
        for row in np.flatnonzero(rng.random(events) < 0.2).tolist():
            values[row] = row
        for row in np.flatnonzero(rng.random(events) < 0.1).tolist():
            values[row] = None
        columns[f"det{n}"] = values
    return columns


def baseline(events: int, keys: int, seed: int) -> dict[str, list[Any]]:
    """Return columns as a baseline has them: positions, and some counts and texts."""
    rng = np.random.default_rng(seed)
    columns: dict[str, list[Any]] = {}
    for n in range(keys):
        match n % 10:
            case 8:
                columns[f"count{n}"] = rng.integers(1000, size=events).tolist()
            case 9:
                columns[f"state{n}"] = [LABELS[n % len(LABELS)]] * events
            case _:
                columns[f"motor{n}"] = rng.normal(size=events).tolist()
    return columns


def data_key(name: str, values: Sequence[Any]) -> Document:
    """Return what an Event Descriptor says of a column."""
    if isinstance(values[0], str):
        return {"source": f"SIM:{name}", "dtype": "string", "shape": [], "object_name": name}
    return {
        "source": f"SIM:{name}",
        "dtype": "number",
        "shape": [],
        "object_name": name,
        "units": "mm",
        "precision": 3,
    }


def run(
    columns: Mapping[str, Sequence[Any]],
    seed: int,
    *,
    stream: str = "primary",
    scan_id: int = 1,
    page: int = 0,
) -> Iterator[Named]:
    """Yield the documents of a Run with one stream.

    Parameters
    ----------
    columns
        The readings, by data key.
    seed
        Of all uids.
    stream, scan_id
        The name of the stream; the scan_id of the Run, from which its other metadata follow.
    page
        How many rows an Event Page has; 0 gives Events.
    """
    fresh = uids(seed)
    run_uid, descriptor = next(fresh), next(fresh)
    first = EPOCH + 60.0 * scan_id
    events = len(next(iter(columns.values())))
    times = first + np.arange(events) * 0.01
    timestamps = {name: (times + 1e-4 * n).tolist() for n, name in enumerate(columns)}
    yield "start", start(run_uid, scan_id)
    yield (
        "descriptor",
        {
            "uid": descriptor,
            "run_start": run_uid,
            "time": first,
            "name": stream,
            "data_keys": {name: data_key(name, values) for name, values in columns.items()},
            "object_keys": {name: [name] for name in columns},
            "hints": {name: {"fields": [name]} for name in columns},
            "configuration": {
                name: {"data": {}, "timestamps": {}, "data_keys": {}} for name in columns
            },
        },
    )
    rows = zip(*columns.values(), strict=True)
    stamps = zip(*timestamps.values(), strict=True)
    emitted = (times + 0.005).tolist()
    if page:
        for at in range(0, events, page):
            end = min(at + page, events)
            yield (
                "event_page",
                {
                    "descriptor": descriptor,
                    "uid": [next(fresh) for _ in range(at, end)],
                    "time": emitted[at:end],
                    "seq_num": list(range(at + 1, end + 1)),
                    "data": {name: list(values[at:end]) for name, values in columns.items()},
                    "timestamps": {name: values[at:end] for name, values in timestamps.items()},
                    "filled": {},
                },
            )
    else:
        for row, (values, stamped) in enumerate(zip(rows, stamps, strict=True)):
            yield (
                "event",
                {
                    "descriptor": descriptor,
                    "uid": next(fresh),
                    "time": emitted[row],
                    "seq_num": row + 1,
                    "data": dict(zip(columns, values, strict=True)),
                    "timestamps": dict(zip(timestamps, stamped, strict=True)),
                    "filled": {},
                },
            )
    yield (
        "stop",
        {
            "uid": next(fresh),
            "run_start": run_uid,
            "time": first + 30.0,
            "exit_status": "success",
            "reason": "",
            "num_events": {stream: events},
        },
    )


def scalar_run(events: int, seed: int, *, scan_id: int = 1, page: int = 0) -> Iterator[Named]:
    """Yield the documents of a Run with nine columns of floats and one of texts."""
    return run(scalars(events, FLOAT_KEYS, seed), seed, scan_id=scan_id, page=page)


def small_run(number: int) -> Iterator[Named]:
    """Yield the documents of a Run of ten Events: the Run with this scan_id, and this as seed."""
    return run(scalars(10, 2, number), number, scan_id=number)
