"""Ask databroker 1.2.5 how it answers, and keep the answers as JSON.

Run it in a virtual environment with ``databroker==1.2.5 intake==0.6.4 "numpy<2" "pandas<2"``::

    python record_1_2_5.py            # writes databroker_1_2_5.json beside this file

The JSON file has four parts.

``cases``
    Runs as lists of ``[name, document]``, and what 1.2.5 gives back for each.
``lookup``
    Five Runs, and Python expressions over a catalog ``cat`` of them, with their answers.
``behavior``
    Python expressions over the names of `namespace`, with their answers.
``signatures``
    The parameters of the public callables.

The expressions stand in ``lookup.txt``, ``behavior.txt`` and ``signatures.txt``, one to a line.

An answer is ``{"value": …}`` or ``{"raises": [type, message]}``, with
``"warns": [[type, message]]`` where databroker warned. NaN and infinities are written as strings,
arrays as lists, and what is no JSON as ``{"type": …, "repr": …}``. This module imports nothing but
databroker and its dependencies, so that a test can load it to rebuild the same Runs and the same
namespace.
"""

import contextlib
import copy
import inspect
import json
import math
import operator  # noqa: F401  for the expressions
import os
import pickle  # noqa: F401  for the expressions
import re
import sys
import uuid
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import databroker.v2
import event_model
import numpy as np

import databroker
from databroker import core, in_memory, queries  # noqa: F401  queries is for the expressions

Document = dict[str, Any]
Named = tuple[str, Document]
Answer = dict[str, Any]

HERE = Path(__file__).parent
OUTPUT = HERE / "databroker_1_2_5.json"
EPOCH = 1_600_000_000.0
LINE = 110


# --- composing documents -------------------------------------------------------------------------


def run_uid(name: str) -> str:
    """Return the uid of the Run of this name, always the same."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"databroker-golden/{name}"))


def start(name: str, **metadata: Any) -> Named:
    """Compose a Run Start."""
    return "start", {
        "uid": run_uid(name),
        "time": EPOCH,
        "scan_id": 1,
        "plan_name": "count",
    } | metadata


def stop(name: str, num_events: dict[str, int], **changes: Any) -> Named:
    """Compose a Run Stop."""
    return "stop", {
        "uid": f"{name}-stop",
        "run_start": run_uid(name),
        "time": EPOCH + 100,
        "exit_status": "success",
        "reason": "",
        "num_events": num_events,
    } | changes


def data_key(value: Any, **changes: Any) -> Document:
    """Describe a value as event-model does."""
    kinds = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array"}
    return {
        "source": "SIM:made up",
        "dtype": kinds[type(value)],
        "shape": list(np.shape(value)),
    } | changes


def keys_of(**values: Any) -> dict[str, Document]:
    """Describe some values."""
    return {key: data_key(value) for key, value in values.items()}


def configuration(device: str, **values: Any) -> dict[str, Document]:
    """Compose the configuration of one device."""
    names = {f"{device}_{key}": value for key, value in values.items()}
    return {
        device: {
            "data": names,
            "timestamps": dict.fromkeys(names, EPOCH - 10),
            "data_keys": {
                key: data_key("" if value is None or isinstance(value, dict) else value)
                for key, value in names.items()
            },
        }
    }


def descriptor(
    name: str,
    uid: str,
    data_keys: dict[str, Document],
    *,
    stream: str | None = "primary",
    config: dict[str, Document] | None = None,
    at: float = 0.5,
) -> Named:
    """Compose an Event Descriptor; every data key belongs to the device ``det``."""
    document = {
        "uid": f"{name}-{uid}",
        "run_start": run_uid(name),
        "time": EPOCH + at,
        "data_keys": data_keys,
        "object_keys": {"det": sorted(data_keys)},
        "configuration": configuration("det", exposure=0.1) if config is None else config,
        "hints": {"det": {"fields": sorted(data_keys)}},
    }
    return "descriptor", document if stream is None else document | {"name": stream}


def event(
    name: str, of: str, uid: str, seq_num: int, at: float, filled: bool = True, **data: Any
) -> Named:
    """Compose an Event whose readings are half a second older than itself."""
    document = {
        "uid": f"{name}-{uid}",
        "descriptor": f"{name}-{of}",
        "seq_num": seq_num,
        "time": EPOCH + at,
        "data": data,
        "timestamps": dict.fromkeys(data, EPOCH + at - 0.5),
    }
    return "event", document | {"filled": {}} if filled else document


# --- the Runs ------------------------------------------------------------------------------------


def simple(
    name: str,
    rows: Sequence[Document],
    data_keys: dict[str, Document] | None = None,
    **kwargs: Any,
) -> list[Named]:
    """Compose a Run with one descriptor and a row a second."""
    return [
        start(name),
        descriptor(name, "d1", data_keys or keys_of(**rows[0]), **kwargs),
        *(event(name, "d1", f"e{i}", i, i, **row) for i, row in enumerate(rows, 1)),
        stop(name, {"primary": len(rows)}),
    ]


def two_descriptors(
    name: str,
    rows: Sequence[tuple[str, float, Document]],
    first: dict[str, Document],
    second: dict[str, Document],
) -> list[Named]:
    """Compose a Run whose one stream has two descriptors with other configurations."""
    return [
        start(name),
        descriptor(name, "d1", first),
        descriptor(name, "d2", second, config=configuration("det", exposure=0.2), at=0.6),
        *(event(name, of, f"e{i}", i, at, **row) for i, (of, at, row) in enumerate(rows, 1)),
        stop(name, {"primary": len(rows)}),
    ]


def one_descriptor(name: str) -> list[Named]:
    """One descriptor with scalars and everything a data key may say."""
    keys = {
        "motor": data_key(
            1.5,
            units="mm",
            precision=3,
            object_name="motor",
            lower_ctrl_limit=-1.0,
            upper_ctrl_limit=9.0,
        ),
        "det": data_key(7, units="counts", long_name="the detector"),
        "mode": data_key("slow", choices=["slow", "fast"]),
    }
    return simple(name, [{"motor": i / 2, "det": i, "mode": "slow"} for i in range(3)], keys)


def configuration_changes(name: str) -> list[Named]:
    """Only the configuration changes between two descriptors of one stream."""
    rows = [
        ("d1", 1, {"a": 1.0}),
        ("d1", 2, {"a": 2.0}),
        ("d2", 3, {"a": 3.0}),
        ("d2", 4, {"a": 4.0}),
    ]
    return two_descriptors(name, rows, keys_of(a=1.0), keys_of(a=1.0))


def key_added(name: str) -> list[Named]:
    """The second descriptor has one more data key."""
    rows = [("d1", 1, {"a": 1}), ("d1", 2, {"a": 2}), ("d2", 3, {"a": 3, "b": 30})]
    return two_descriptors(name, rows, keys_of(a=1), keys_of(a=1, b=1))


def key_removed(name: str) -> list[Named]:
    """The second descriptor has one data key less."""
    rows = [("d1", 1, {"a": 1, "b": 10}), ("d2", 2, {"a": 2}), ("d2", 3, {"a": 3})]
    return two_descriptors(name, rows, keys_of(a=1, b=1), keys_of(a=1))


def equal_times_same_values(name: str) -> list[Named]:
    """Events of two descriptors have one time and equal values."""
    rows = [("d1", 1, {"a": 1}), ("d1", 2, {"a": 2}), ("d2", 2, {"a": 2}), ("d2", 3, {"a": 3})]
    return two_descriptors(name, rows, keys_of(a=1), keys_of(a=1))


def equal_times_other_values(name: str) -> list[Named]:
    """Events of two descriptors have one time and other values."""
    rows = [("d1", 1, {"a": 1}), ("d1", 2, {"a": 2}), ("d2", 2, {"a": 20}), ("d2", 3, {"a": 3})]
    return two_descriptors(name, rows, keys_of(a=1), keys_of(a=1))


def equal_times_in_one_descriptor(name: str) -> list[Named]:
    """Two Events of one descriptor have one time."""
    return [
        start(name),
        descriptor(name, "d1", keys_of(a=1)),
        event(name, "d1", "e1", 1, 1, a=1),
        event(name, "d1", "e2", 2, 1, a=2),
        event(name, "d1", "e3", 3, 3, a=3),
        stop(name, {"primary": 3}),
    ]


def interleaved_descriptors(name: str) -> list[Named]:
    """Events of two descriptors of one stream come in turn."""
    rows = [("d1", 1, {"a": 1}), ("d2", 2, {"a": 2}), ("d1", 3, {"a": 3}), ("d2", 4, {"a": 4})]
    return two_descriptors(name, rows, keys_of(a=1), keys_of(a=1))


def array_under_two_descriptors(name: str) -> list[Named]:
    """An array is longer under the second descriptor."""
    rows = [("d1", 1, {"a": [1, 2]}), ("d2", 2, {"a": [3, 4, 5]})]
    return two_descriptors(name, rows, keys_of(a=[1, 2]), keys_of(a=[1, 2, 3]))


def times_going_back(name: str) -> list[Named]:
    """The clock is set back during the Run."""
    return [
        start(name),
        descriptor(name, "d1", keys_of(a=1)),
        event(name, "d1", "e1", 1, 3, a=1),
        event(name, "d1", "e2", 2, 1, a=2),
        event(name, "d1", "e3", 3, 2, a=3),
        stop(name, {"primary": 3}),
    ]


def rewound(name: str) -> list[Named]:
    """A RunEngine that rewound emits seq_nums 3 and 4 again."""
    seq_nums = [1, 2, 3, 4, 3, 4, 5]
    return [
        start(name),
        descriptor(name, "d1", keys_of(a=1)),
        *(event(name, "d1", f"e{i}", n, i, a=10 * n + i) for i, n in enumerate(seq_nums, 1)),
        stop(name, {"primary": 5}),
    ]


def no_events(name: str) -> list[Named]:
    """A descriptor without Events."""
    keys = keys_of(x=1.0, n=1, s="", b=True, v=[1.0, 2.0, 3.0], image=[[1, 2], [3, 4]])
    return [start(name), descriptor(name, "d1", keys), stop(name, {"primary": 0})]


def no_stop(name: str) -> list[Named]:
    """A Run that is still open."""
    return simple(name, [{"a": 1}, {"a": 2}])[:-1]


def no_descriptors(name: str) -> list[Named]:
    """A Run that measured nothing."""
    return [start(name), stop(name, {})]


def start_only(name: str) -> list[Named]:
    """A Run that began."""
    return [start(name)]


def descriptor_without_a_name(name: str) -> list[Named]:
    """A descriptor as old RunEngines wrote it."""
    return simple(name, [{"a": 1}, {"a": 2}], stream=None)


def growing_strings(name: str) -> list[Named]:
    """Strings get longer from row to row."""
    return simple(name, [{"s": "a"}, {"s": "abc"}, {"s": "abcdefghij"}])


def int_then_float(name: str) -> list[Named]:
    """A value is an int first and a float later."""
    return simple(name, [{"a": 1}, {"a": 2.5}, {"a": 3}])


def float_then_int(name: str) -> list[Named]:
    """A value is a float first and an int later."""
    return simple(name, [{"a": 2.5}, {"a": 1}])


def big_integers(name: str) -> list[Named]:
    """Integers beyond float64 and beyond int64."""
    return simple(name, [{"a": 2**53 + 1, "b": 1}, {"a": 2**63 - 1, "b": 2**70}])


def none_among_floats(name: str) -> list[Named]:
    """A float is missing."""
    return simple(name, [{"a": 1.5}, {"a": None}, {"a": 2.5}])


def none_among_ints(name: str) -> list[Named]:
    """An int is missing."""
    return simple(name, [{"a": 1}, {"a": None}, {"a": 2}])


def none_among_strings(name: str) -> list[Named]:
    """A string is missing."""
    return simple(name, [{"a": "x"}, {"a": None}, {"a": "yz"}])


def booleans(name: str) -> list[Named]:
    """True and False."""
    return simple(name, [{"a": True}, {"a": False}])


def number_then_string(name: str) -> list[Named]:
    """A number turns into a string."""
    return simple(name, [{"a": 1.5}, {"a": "off"}])


def arrays(name: str) -> list[Named]:
    """Lists of one and two dimensions, for the numbering of their dimensions."""
    row = {"a": [1, 2, 3], "b": 1.0, "c": [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], "d": [7, 8, 9]}
    return simple(name, [row, row])


def arrays_with_dims(name: str) -> list[Named]:
    """Data keys that name their dimensions."""
    row = {"spectrum": [1, 2, 3], "image": [[1, 2, 3], [4, 5, 6]], "plain": [1, 2, 3]}
    keys = keys_of(**row)
    keys["spectrum"]["dims"] = ["energy"]
    keys["image"]["dims"] = ["y", "energy"]
    return simple(name, [row, row], keys)


def dims_that_conflict(name: str) -> list[Named]:
    """One name for two lengths."""
    row = {"short": [1, 2], "long": [1, 2, 3]}
    keys = {key: data_key(value, dims=["energy"]) for key, value in row.items()}
    return simple(name, [row, row], keys)


def dims_with_time(name: str) -> list[Named]:
    """The dims of a data key start with time."""
    row = {"spectrum": [1, 2, 3]}
    return simple(name, [row, row], {"spectrum": data_key([1, 2, 3], dims=["time", "energy"])})


def dims_too_few(name: str) -> list[Named]:
    """Fewer dims than dimensions."""
    row = {"image": [[1, 2, 3], [4, 5, 6]]}
    return simple(name, [row, row], {"image": data_key(row["image"], dims=["y"])})


def ragged(name: str) -> list[Named]:
    """An array changes its length."""
    return simple(name, [{"a": [1, 2], "b": 1}, {"a": [3, 4, 5], "b": 2}])


def empty_arrays(name: str) -> list[Named]:
    """Arrays without elements."""
    return simple(name, [{"a": []}, {"a": []}])


def arrays_of_strings(name: str) -> list[Named]:
    """Lists of strings."""
    return simple(name, [{"a": ["x", "yy"]}, {"a": ["zzz", ""]}])


def wrong_declared_shape(name: str) -> list[Named]:
    """The descriptor promises another shape than what came."""
    rows = [{"a": [1, 2, 3], "b": 1.0}, {"a": [4, 5, 6], "b": 2.0}]
    return simple(name, rows, {"a": data_key([1], shape=[5]), "b": data_key(1.0)})


def array_declared_as_scalar(name: str) -> list[Named]:
    """The descriptor promises a scalar, and an array came."""
    rows = [{"a": [1, 2, 3]}, {"a": [4, 5, 6]}]
    return simple(name, rows, {"a": data_key(1.0)})


def scalar_declared_as_array(name: str) -> list[Named]:
    """The descriptor promises an array, and a scalar came."""
    return simple(name, [{"a": 1}, {"a": 2}], {"a": data_key([1, 2])})


def wrong_declared_dtype(name: str) -> list[Named]:
    """The descriptor promises numbers, and strings came."""
    return simple(name, [{"a": "x"}, {"a": "y"}], {"a": data_key(1.0)})


def undeclared_key(name: str) -> list[Named]:
    """Events hold a key that the descriptor does not know."""
    return simple(name, [{"a": 1, "b": 1}, {"a": 2, "b": 2}], keys_of(a=1))


def missing_key(name: str) -> list[Named]:
    """One Event lacks a key that the descriptor promises."""
    return simple(name, [{"a": 1, "b": 1}, {"a": 2}], keys_of(a=1, b=1))


def key_named_time(name: str) -> list[Named]:
    """Data keys have the names of the Event's own fields."""
    return simple(name, [{"time": 5.0, "a": 1}, {"time": 6.0, "a": 2}])


def without_filled(name: str) -> list[Named]:
    """Events lack the optional ``filled``."""
    return [
        start(name),
        descriptor(name, "d1", keys_of(a=1)),
        event(name, "d1", "e1", 1, 1, filled=False, a=1),
        event(name, "d1", "e2", 2, 2, filled=False, a=2),
        stop(name, {"primary": 2}),
    ]


def rich_configuration(name: str) -> list[Named]:
    """Configuration with arrays, strings, None, a mapping, and a device without any."""
    config = configuration(
        "det",
        exposure=0.5,
        bins=4,
        live=True,
        label="left",
        nothing=None,
        edges=[1.0, 2.0, 3.0],
        matrix=[[1, 2], [3, 4]],
        names=["a", "bb"],
    )
    empty = {"motor": {"data": {}, "timestamps": {}, "data_keys": {}}}
    return simple(name, [{"a": i} for i in range(3)], config=config | empty)


def nested_configuration(name: str) -> list[Named]:
    """A configuration value that is a mapping."""
    config = configuration("det", exposure=0.5, settings={"gain": 2, "path": ["x", None]})
    return simple(name, [{"a": 1}, {"a": 2}], config=config)


def two_streams(name: str) -> list[Named]:
    """Two streams whose Events come in turn, some at one time, against the order of their uids."""
    return [
        start(name),
        descriptor(name, "d1", keys_of(a=1)),
        descriptor(name, "d2", keys_of(b=1.0), stream="baseline"),
        event(name, "d2", "z1", 1, 1, b=0.5),
        event(name, "d1", "y1", 1, 2, a=1),
        event(name, "d2", "z2", 2, 3, b=1.5),
        event(name, "d1", "y2", 2, 3, a=2),
        event(name, "d1", "y3", 3, 4, a=3),
        event(name, "d2", "x3", 3, 4, b=2.5),
        stop(name, {"primary": 3, "baseline": 3}),
    ]


def late_arrival(name: str) -> list[Named]:
    """A fly scanner's stream arrives after the other, with earlier times."""
    return [
        start(name),
        descriptor(name, "d1", keys_of(a=1)),
        event(name, "d1", "e1", 1, 3, a=1),
        event(name, "d1", "e2", 2, 4, a=2),
        descriptor(name, "d2", keys_of(b=1), stream="fly", at=5),
        event(name, "d2", "e3", 1, 1, b=1),
        event(name, "d2", "e4", 2, 5, b=2),
        stop(name, {"primary": 2, "fly": 2}),
    ]


def event_page(name: str) -> list[Named]:
    """Two rows arrive as one Event Page."""
    page = {
        "descriptor": f"{name}-d1",
        "uid": [f"{name}-e1", f"{name}-e2"],
        "seq_num": [1, 2],
        "time": [EPOCH + 1, EPOCH + 2],
        "data": {"a": [1, 2]},
        "timestamps": {"a": [EPOCH + 0.5, EPOCH + 1.5]},
        "filled": {},
    }
    documents = simple(name, [{"a": 1}, {"a": 2}])
    return [*documents[:2], ("event_page", page), documents[-1]]


def external(name: str) -> list[Named]:
    """Images behind a Resource, with and without a registered handler for its spec."""
    keys = keys_of(a=1) | {"image": data_key([[1, 1, 1], [1, 1, 1]], external="FILESTORE:")}
    resource = {
        "uid": f"{name}-r1",
        "run_start": run_uid(name),
        "spec": "CONSTANT",
        "root": "/data",
        "resource_path": "images",
        "resource_kwargs": {"shape": [2, 3]},
        "path_semantics": "posix",
    }
    events = [
        event(name, "d1", f"e{i}", i, i, a=i, image=f"{name}-r1/{i}")[1]
        | {"filled": {"image": False}}
        for i in (1, 2)
    ]
    datums = [
        {"datum_id": f"{name}-r1/{i}", "resource": f"{name}-r1", "datum_kwargs": {"value": i}}
        for i in (1, 2)
    ]
    return [
        start(name),
        descriptor(name, "d1", keys),
        ("resource", resource),
        ("datum", datums[0]),
        ("event", events[0]),
        ("datum", datums[1]),
        ("event", events[1]),
        stop(name, {"primary": 2}),
    ]


def aborted(name: str) -> list[Named]:
    """A Run that failed."""
    return [
        *no_stop(name),
        stop(name, {"primary": 2}, exit_status="fail", reason="the shutter is stuck"),
    ]


CASES: tuple[Callable[[str], list[Named]], ...] = (
    one_descriptor,
    configuration_changes,
    key_added,
    key_removed,
    equal_times_same_values,
    equal_times_other_values,
    equal_times_in_one_descriptor,
    interleaved_descriptors,
    array_under_two_descriptors,
    times_going_back,
    rewound,
    no_events,
    no_stop,
    no_descriptors,
    start_only,
    descriptor_without_a_name,
    growing_strings,
    int_then_float,
    float_then_int,
    big_integers,
    none_among_floats,
    none_among_ints,
    none_among_strings,
    booleans,
    number_then_string,
    arrays,
    arrays_with_dims,
    dims_that_conflict,
    dims_with_time,
    dims_too_few,
    ragged,
    empty_arrays,
    arrays_of_strings,
    wrong_declared_shape,
    array_declared_as_scalar,
    scalar_declared_as_array,
    wrong_declared_dtype,
    undeclared_key,
    missing_key,
    key_named_time,
    without_filled,
    rich_configuration,
    nested_configuration,
    two_streams,
    late_arrival,
    event_page,
    external,
    aborted,
)

CASES_ABOUT_CONFIGURATION = frozenset(
    {
        one_descriptor,
        configuration_changes,
        key_added,
        equal_times_other_values,
        interleaved_descriptors,
        rewound,
        no_events,
        no_stop,
        descriptor_without_a_name,
        rich_configuration,
        nested_configuration,
    }
)

LOOKUP_UIDS = {
    "oldest": "aaaa1111-0000-4000-8000-000000000001",
    "twin one": "abcd2222-0000-4000-8000-000000000002",
    "twin two": "abcd3333-0000-4000-8000-000000000003",
    "digits": "12345678-0000-4000-8000-000000000004",
    "newest": "ffff5555-0000-4000-8000-000000000005",
}
LOOKUP_SCAN_IDS = {"oldest": 1, "twin one": 2, "twin two": 2, "digits": 4, "newest": 7}


def lookup_runs() -> dict[str, list[Named]]:
    """Compose five Runs, inserted in another order than that of their times."""
    times = {"oldest": 1, "twin one": 2, "twin two": 3, "digits": 4, "newest": 5}
    arrival = ("twin one", "newest", "oldest", "digits", "twin two")
    return {name: lookup_run(name, EPOCH + 1000 * times[name]) for name in arrival}


def lookup_run(name: str, at: float) -> list[Named]:
    """Compose one Run of the catalog for look-ups."""
    uid = LOOKUP_UIDS[name]
    plan_name = "scan" if name.startswith("twin") else "count"
    return [
        (
            "start",
            {"uid": uid, "time": at, "scan_id": LOOKUP_SCAN_IDS[name], "plan_name": plan_name},
        ),
        (
            "stop",
            {
                "uid": f"{uid}-stop",
                "run_start": uid,
                "time": at + 10,
                "exit_status": "success",
                "reason": "",
                "num_events": {},
            },
        ),
    ]


# --- putting them into databroker ----------------------------------------------------------------


class Constant:
    """Open the spec ``CONSTANT``: every Datum is an image filled with one value."""

    specs = frozenset({"CONSTANT"})

    def __init__(self, path: Any, shape: list[int]) -> None:
        self.shape = tuple(shape)

    def __call__(self, value: int) -> np.ndarray:
        return np.full(self.shape, value, dtype="uint16")


def replay(documents: list[Named]) -> Iterator[Named]:
    """Yield copies of some documents, so that nobody changes ours."""
    yield from copy.deepcopy(documents)


def catalog_of(
    runs: Iterable[list[Named]], handler_registry: Mapping[str, Any] | None = None
) -> in_memory.BlueskyInMemoryCatalog:
    """Build a catalog in memory."""
    catalog = in_memory.BlueskyInMemoryCatalog(handler_registry=handler_registry or {})
    for documents in runs:
        run_start = documents[0][1]
        last = documents[-1]
        catalog.upsert(run_start, last[1] if last[0] == "stop" else None, replay, (documents,), {})
    return catalog


# --- saying answers in JSON ----------------------------------------------------------------------


def plain(value: Any) -> Any:
    """Say any value in JSON."""
    match value:
        case None | bool():
            return value
        case str():
            return scrubbed(value)
        case np.ndarray() | np.generic():
            return plain(value.tolist())
        case int():
            return value
        case float():
            return value if math.isfinite(value) else str(value).replace("nan", "NaN")
        case Mapping():
            return {str(key): plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
        case set() | frozenset():
            return sorted(map(plain, value))
        case type():
            return {"type": "type", "repr": f"{value.__module__}.{value.__qualname__}"}
        case _:
            return {"type": type_name(value), "repr": scrubbed(repr(value))}


def type_name(value: Any) -> str:
    """Name the class of a value."""
    return f"{type(value).__module__}.{type(value).__qualname__}"


def scrubbed(text: str) -> str:
    """Take out what changes from one process to the next."""
    return re.sub(r"(/tmp|/var)/[^\s'\"]*", "<path>", re.sub(r"0x[0-9a-f]+", "0x…", text))


def answer(ask: Callable[[], Any]) -> Answer:
    """Keep what a question gives, raises and warns."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            said: Answer = {"value": plain(ask())}
        except Exception as error:  # noqa: BLE001  every error is an answer
            said = raised(error)
    heard = [
        [warning.category.__name__, scrubbed(str(warning.message))]
        for warning in caught
        if warning.category is not FutureWarning  # those are xarray's, about its own future
    ]
    return said | ({"warns": heard} if heard else {})


def raised(error: Exception) -> Answer:
    """Keep an error."""
    return {"raises": [type(error).__name__, scrubbed(str(error))]}


def dataset(read: Callable[[], Any]) -> Answer:
    """Keep a Dataset."""
    return answer(lambda: described(read()))


def described(data: Any) -> Answer:
    """Describe a Dataset whole."""
    return {
        "dims": {str(name): size for name, size in data.sizes.items()},
        "coords": sorted(map(str, data.coords)),
        "data_vars": [str(name) for name in data.data_vars],
        "attrs": plain(data.attrs),
        "variables": {str(name): variable(data[name]) for name in data.variables},
    }


def variable(array: Any) -> Answer:
    """Describe one variable of a Dataset."""
    return {
        "dims": list(array.dims),
        "shape": list(array.shape),
        "dtype": str(array.dtype),
        "kind": array.dtype.kind,
        "values": plain(array.values),
        "attrs": plain(array.attrs),
    }


# --- asking about one Run ------------------------------------------------------------------------


class Printer:
    """Collect what ``_repr_pretty_`` writes, as IPython's printer does."""

    def __init__(self) -> None:
        self.parts: list[str] = []

    def text(self, text: str) -> None:
        self.parts.append(text)

    def breakable(self, separator: str = " ") -> None:
        self.parts.append(separator)

    def pretty(self, thing: Any) -> None:
        self.parts.append(repr(thing))


def pretty(thing: Any) -> str:
    """Print a thing as IPython does."""
    printer = Printer()
    thing._repr_pretty_(printer, False)
    return "".join(printer.parts)


def summary(name: str, document: Mapping[str, Any]) -> list[Any]:
    """Say which document this is: its kind, its uid or uids, and its seq_nums."""
    identity = document.get("uid", document.get("datum_id"))
    return [name, plain(identity), *([plain(document["seq_num"])] if "seq_num" in document else [])]


def summaries(run: core.BlueskyRun, **kwargs: Any) -> list[Any]:
    """List the documents of a Run."""
    return [[*summary(name, doc), type(doc).__name__] for name, doc in run.documents(**kwargs)]


def event_pages(run: core.BlueskyRun, **kwargs: Any) -> list[Any]:
    """List the Event Pages of a Run, whole."""
    return [dict(doc) for name, doc in run.documents(**kwargs) if name == "event_page"]


def record_case(case: Callable[[str], list[Named]]) -> Answer:
    """Record everything about one Run."""
    documents = case(case.__name__)
    run = catalog_of([documents])[documents[0][1]["uid"]]
    streams = answer(lambda: list(run))
    return {
        "about": case.__doc__,
        "documents": documents,
        "list(run)": streams,
        "repr(run)": answer(lambda: repr(run)),
        "pretty(run)": answer(lambda: pretty(run)),
        "metadata": answer(lambda: sorted(run.metadata)),
        "metadata['stop'] is None": answer(lambda: run.metadata["stop"] is None),
        "documents(fill='no')": answer(lambda: summaries(run, fill="no")),
        "streams": {
            name: record_stream(run[name])
            | (record_configuration(run[name]) if case in CASES_ABOUT_CONFIGURATION else {})
            for name in streams.get("value", [])
        },
    }


def record_stream(stream: core.BlueskyEventStream) -> Answer:
    """Record what one stream says and holds."""
    return {
        "repr": answer(lambda: repr(stream)),
        "metadata": answer(lambda: sorted(stream.metadata)),
        "descriptors": answer(lambda: [d["uid"] for d in stream.metadata["descriptors"]]),
        "list(config)": answer(lambda: list(stream.config)),
        "read": dataset(stream.read),
        "timestamps": dataset(stream.timestamps.read),
    }


def record_configuration(stream: core.BlueskyEventStream) -> Answer:
    """Record the configuration of every device."""
    return {
        attribute: {
            device: dataset(lambda of=of, device=device: of[device].read()) for device in of
        }
        for attribute in ("config", "config_timestamps")
        for of in [getattr(stream, attribute)]
    }


# --- asking by expressions -----------------------------------------------------------------------


def namespace() -> dict[str, Any]:
    """Make the names that the expressions of ``lookup`` and ``behavior`` use."""
    documents = one_descriptor("one_descriptor")
    run_start_uid = documents[0][1]["uid"]
    runs = catalog_of([documents])
    return globals() | {
        "documents": documents,
        "run_start_uid": run_start_uid,
        "runs": runs,
        "run": runs[run_start_uid],
        "stream": runs[run_start_uid]["primary"],
        "doc": core.Start({"uid": run_start_uid, "time": EPOCH, "nested": {"list": [1, 2]}}),
        "ext": catalog_of([external("external")], {"CONSTANT": Constant})[-1],
        "blind": catalog_of([external("external")])[-1],
        "empty": catalog_of([]),
        "temp": databroker.v2.temp(),
        "cache_after": cache_after,
        "pretty_of": pretty,
        "dask_tokenize": dask_tokenize,
    }


def lookup_namespace() -> dict[str, Any]:
    """Make the names for look-ups: as `namespace`, with the catalog of five Runs as ``cat``."""
    catalog = databroker.v2.temp()
    for documents in lookup_runs().values():
        for name, document in documents:
            catalog.v1.insert(name, document)
    return namespace() | {"cat": catalog, "in_memory_cat": catalog_of(lookup_runs().values())}


def behavior_namespace() -> dict[str, Any]:
    """Make the names for everything else, with a catalog of one Run as ``cat``."""
    return namespace() | {"cat": catalog_of([one_descriptor("one_descriptor")])}


def dask_tokenize(thing: Any) -> str:
    """Name a thing as dask does."""
    from dask.base import tokenize

    return tokenize(thing)


def cache_after(count: int) -> core.SingleRunCache:
    """Feed a cache with the first documents of a Run."""
    cache = core.SingleRunCache()
    for name, document in copy.deepcopy(one_descriptor("one_descriptor")[:count]):
        cache.callback(name, document)
    return cache


def fresh() -> core.BlueskyEventStream:
    """Open a stream that nobody read before."""
    return catalog_of([one_descriptor("one_descriptor")])[-1]["primary"]


def fresh_external() -> core.BlueskyEventStream:
    """Open a stream with external data that nobody read before."""
    return catalog_of([external("external")], {"CONSTANT": Constant})[-1]["primary"]


def by_hand(**kwargs: Any) -> core.BlueskyRun:
    """Make a Run of ten callables."""
    documents = without_filled("by_hand")
    (_, run_start), (_, first), *events, (_, run_stop) = documents
    page = event_model.pack_event_page(*(document for _, document in copy.deepcopy(events)))
    return core.BlueskyRun(
        get_run_start=lambda: run_start,
        get_run_stop=lambda: run_stop,
        get_event_descriptors=lambda: [first],
        get_event_pages=lambda descriptor_uid, skip=0, limit=None: iter([copy.deepcopy(page)]),
        get_event_count=lambda descriptor_uid: len(events),
        get_resource=lambda uid: None,
        get_resources=list,
        lookup_resource_for_datum=lambda datum_id: None,
        get_datum_pages=lambda resource_uid, skip=0, limit=None: iter([]),
        get_filler=lambda **filler: event_model.Filler({}, inplace=False, **filler),
        **{"entry": None, "transforms": core.parse_transforms(None)} | kwargs,
    )


def by_hand_with_entry(**kwargs: Any) -> core.BlueskyRun:
    """Make a Run of ten callables that knows its entry, as storage drivers make them."""
    entry = core.Entry(
        name="the entry",
        description="",
        driver="databroker.core.BlueskyRun",
        direct_access="forbid",
        args={},
        metadata={},
    )
    return by_hand(entry=entry, **kwargs)


def cursor_of(count: int) -> Callable[..., Iterator[Document]]:
    """Make a callable that gives that many Events, as storage drivers have one."""
    events = [event("cursor", "d1", f"e{i}", i, i, a=i)[1] for i in range(1, count + 1)]

    def events_of(*args: Any, **kwargs: Any) -> Iterator[Document]:
        return iter(copy.deepcopy(events))

    return events_of


def datum_cursor_of(count: int) -> Callable[..., Iterator[Document]]:
    """Make a callable that gives that many Datums."""
    datums = [
        {"datum_id": f"r/{i}", "resource": "r", "datum_kwargs": {"i": i}}
        for i in range(1, count + 1)
    ]

    def datums_of(*args: Any, **kwargs: Any) -> Iterator[Document]:
        return iter(copy.deepcopy(datums))

    return datums_of


def pages_at(*times: float, uid: str = "") -> Iterator[Document]:
    """Yield one Event Page with an Event at each time."""
    if times:
        yield event_model.pack_event_page(
            *(event("pages", "d1", f"{uid}{t}", i, t, a=t)[1] for i, t in enumerate(times, 1))
        )


def interlaced(pages: list[Iterator[Document]], chunk_size: int) -> list[Any]:
    """List the times and uids of the pages, interlaced."""
    given = core._interlace_event_page_chunks(*pages, chunk_size=chunk_size)
    return [[[t - EPOCH for t in page["time"]], page["uid"]] for page in given]


def attempts(error: type[Exception], failures: int) -> dict[str, Any]:
    """Call a method that fails so many times, and count."""

    class Flaky:
        calls = 0
        reloads = 0

        def force_reload(self) -> None:
            self.reloads += 1

        @core.retry
        def ask(self) -> str:
            self.calls += 1
            if self.calls <= failures:
                raise error("not yet")
            return "done"

    flaky = Flaky()
    said = answer(flaky.ask)
    return {"said": said, "calls": flaky.calls, "reloads": flaky.reloads}


def catalog_with(**transforms: Callable[[Document], Document]) -> in_memory.BlueskyInMemoryCatalog:
    """Build a catalog of one Run with transforms."""
    documents = one_descriptor("one_descriptor")
    catalog = in_memory.BlueskyInMemoryCatalog(transforms=transforms)
    catalog.upsert(documents[0][1], documents[-1][1], replay, (documents,), {})
    return catalog


def expressions(topic: str) -> list[str]:
    """Read the expressions about a topic, one to a line."""
    text = HERE.joinpath(f"{topic}.txt").read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def asked(topic: str, names: dict[str, Any]) -> list[list[Any]]:
    """Answer expressions one after the other, in one namespace."""
    return [
        [expression, answer(lambda expression=expression: eval(expression, names))]
        for expression in expressions(topic)
    ]


def signature(name: str) -> list[str]:
    """Say the parameters of a callable."""
    with contextlib.suppress(ValueError):
        return [scrubbed(str(inspect.signature(eval(name))))]
    return []


# --- writing -------------------------------------------------------------------------------------


def pretty_json(value: Any, indent: str = "") -> str:
    """Write JSON with one line for whatever fits into one."""
    short = json.dumps(value, ensure_ascii=False, sort_keys=True)
    if len(indent) + len(short) <= LINE or not isinstance(value, dict | list) or not value:
        return short
    deeper = indent + " "
    if isinstance(value, list):
        return braced("[]", [pretty_json(item, deeper) for item in value], indent)
    lines = [
        f"{json.dumps(key, ensure_ascii=False)}: {pretty_json(value[key], deeper)}"
        for key in sorted(value)
    ]
    return braced("{}", lines, indent)


def braced(braces: str, lines: list[str], indent: str) -> str:
    """Put lines between braces."""
    separator = f",\n{indent} "
    return f"{braces[0]}\n{indent} {separator.join(lines)}\n{indent}{braces[1]}"


def everything() -> Answer:
    """Ask all questions."""
    return {
        "databroker": version("databroker"),
        "cases": {case.__name__: record_case(case) for case in CASES},
        "lookup": {
            "runs": [[name, documents] for name, documents in lookup_runs().items()],
            "answers": asked("lookup", lookup_namespace()),
        },
        "behavior": asked("behavior", behavior_namespace()),
        "signatures": {name: signature(name) for name in expressions("signatures")},
    }


def main() -> None:
    """Write the answers beside this file, always the same.

    Times of day are those of UTC. 1.2.5 lists streams, descriptors and names from sets, so the
    order of their hashes is fixed too.
    """
    fixed = {"TZ": "UTC", "PYTHONHASHSEED": "0"}
    if any(os.environ.get(name) != value for name, value in fixed.items()):
        os.execve(sys.executable, [sys.executable, __file__], os.environ | fixed)
    OUTPUT.write_text(pretty_json(everything()) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
