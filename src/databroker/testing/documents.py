"""Made-up Runs of every shape that Databroker must record and give back.

A Run is a list of ``(name, document)``. The same call always makes the same documents, with the
same uids; another `seed` makes another Run.
"""

import copy
import math
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from itertools import chain, cycle, groupby, zip_longest
from random import Random
from typing import Any, TypeAlias

import numpy as np

from databroker.testing.comparison import differences, unpacked

Document: TypeAlias = dict[str, Any]
Run: TypeAlias = list[tuple[str, Document]]

TIME = 1_700_000_000.0
"""When the first document of a Run was made, unless said otherwise."""

TICK = 0.1
"""Seconds from one document to the next."""


class RunBuilder:
    """Composes a Run, document by document.

    Parameters
    ----------
    seed
        What all uids are derived from.
    time
        The time of the Run Start; every document comes a tick after the one before.
    **metadata
        Items of the Run Start.

    Examples
    --------
    >>> run = RunBuilder("an example", scan_id=7, plan_name="count")
    >>> primary = run.descriptor({"x": 0.0})
    >>> event = run.event(primary, {"x": 1.5})
    >>> stop = run.stop()
    >>> [name for name, document in run.documents]
    ['start', 'descriptor', 'event', 'stop']
    >>> run.documents[2][1]["data"]
    {'x': 1.5}
    """

    def __init__(self, seed: str, *, time: float = TIME, **metadata: Any) -> None:
        self._random = Random(seed)  # noqa: S311 - reproducible uids, no secrets
        self._time = time
        self._stream_of: dict[str, str] = {}
        self._event_counts: dict[str, int] = {}
        self.documents: Run = []
        self.uid = self._add("start", {"time": time, **metadata})

    def descriptor(
        self, example: Mapping[str, Any], name: str | None = "primary", **items: Any
    ) -> str:
        """Add an Event Descriptor whose data keys fit the data of an example; return its uid."""
        document = {
            "run_start": self.uid,
            "time": self._tick(),
            "data_keys": {key: data_key(value) for key, value in example.items()},
            "configuration": {},
            "hints": {},
            "object_keys": {key: [key] for key in example},
        }
        stream = {} if name is None else {"name": name}
        uid = self._add("descriptor", document | stream | items)
        self._stream_of[uid] = name or "primary"
        return uid

    def event(self, descriptor: str, data: Mapping[str, Any], **items: Any) -> str:
        """Add an Event; return its uid."""
        stream = self._stream_of[descriptor]
        self._event_counts[stream] = self._event_counts.get(stream, 0) + 1
        time = self._tick()
        document = {
            "descriptor": descriptor,
            "seq_num": self._event_counts[stream],
            "time": time,
            "data": dict(data),
            "timestamps": dict.fromkeys(data, time - TICK / 3),
            "filled": {},
        }
        return self._add("event", document | items)

    def resource(self, **items: Any) -> str:
        """Add a Resource; return its uid."""
        document = {
            "run_start": self.uid,
            "spec": "MADE_UP",
            "root": "/data",
            "resource_path": "made/up.tiff",
            "path_semantics": "posix",
            "resource_kwargs": {"frame_per_point": 1},
        }
        return self._add("resource", document | items)

    def datum(self, resource: str, number: int, **kwargs: Any) -> str:
        """Add a Datum; return its datum_id."""
        datum_id = f"{resource}/{number}"
        document = {"datum_id": datum_id, "resource": resource, "datum_kwargs": kwargs}
        self.documents.append(("datum", document))
        return datum_id

    def stream_resource(self, data_key: str, **items: Any) -> str:
        """Add a Stream Resource; return its uid."""
        document = {
            "run_start": self.uid,
            "data_key": data_key,
            "mimetype": "application/x-hdf5",
            "uri": "file://localhost/data/made/up.h5",
            "parameters": {"dataset": "/entry/data", "swmr": True, "chunk_shape": (1, 4)},
        }
        return self._add("stream_resource", document | items)

    def stream_datum(self, stream_resource: str, descriptor: str, rows: range) -> str:
        """Add a Stream Datum for some rows, counted from zero; return its uid."""
        document = {
            "stream_resource": stream_resource,
            "descriptor": descriptor,
            "indices": {"start": rows.start, "stop": rows.stop},
            "seq_nums": {"start": rows.start + 1, "stop": rows.stop + 1},
        }
        return self._add("stream_datum", document)

    def other(self, name: str, **items: Any) -> str:
        """Add a document of any other kind; return its uid."""
        return self._add(name, items)

    def stop(self, **items: Any) -> str:
        """Add a Run Stop; return its uid."""
        document = {
            "run_start": self.uid,
            "time": self._tick(),
            "exit_status": "success",
            "reason": "",
            "num_events": dict(self._event_counts),
        }
        return self._add("stop", document | items)

    def _add(self, name: str, document: Document) -> str:
        identified = {"uid": self._new_uid()} | document
        self.documents.append((name, identified))
        return identified["uid"]

    def _new_uid(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def _tick(self) -> float:
        self._time += TICK
        return self._time


def data_key(value: Any, **items: Any) -> Document:
    """Return the data key of an Event Descriptor that fits a value.

    Examples
    --------
    >>> data_key([[1, 2, 3], [4, 5, 6]], units="mm")
    {'source': 'made up', 'dtype': 'array', 'shape': [2, 3], 'units': 'mm'}
    """
    dtype, shape = _declared(value)
    return {"source": "made up", "dtype": dtype, "shape": shape} | items


def _declared(value: Any) -> tuple[str, list[int]]:
    match value:
        case bool() | np.bool_():
            return "boolean", []
        case int() | np.integer():
            return "integer", []
        case float() | np.floating():
            return "number", []
        case np.ndarray():
            return "array", list(value.shape)
        case list() | tuple():
            inner = _declared(value[0])[1] if value else []
            return "array", [len(value), *inner]
        case _:
            return "string", []


# -- ordinary Runs ---------------------------------------------------------------------------------


def simple_run(
    events: int = 5, *, seed: str = "simple", time: float = TIME, stop: bool = True, **metadata: Any
) -> Run:
    """Return a Run of one stream with a motor and a detector.

    Examples
    --------
    >>> run = simple_run(events=2, scan_id=7)
    >>> [name for name, document in run]
    ['start', 'descriptor', 'event', 'event', 'stop']
    """
    defaults: Document = {"scan_id": 1, "plan_name": "scan"}
    run = RunBuilder(seed, time=time, **(defaults | metadata))
    primary = run.descriptor({"motor": 0.0, "detector": 0})
    for index in range(events):
        run.event(primary, {"motor": index / 7, "detector": index**3})
    if stop:
        run.stop()
    return run.documents


def no_stop_run(events: int = 3, *, seed: str = "no stop") -> Run:
    """Return a Run that was interrupted, or still goes on."""
    return simple_run(events, seed=seed, stop=False)


def no_events_run(*, seed: str = "no events") -> Run:
    """Return a Run that has a descriptor but no Event."""
    return simple_run(0, seed=seed)


def no_descriptors_run(*, seed: str = "no descriptors") -> Run:
    """Return a Run of a Run Start and a Run Stop."""
    run = RunBuilder(seed, scan_id=2, plan_name="nothing")
    run.stop(exit_status="abort", reason="Nothing to do")
    return run.documents


def unnamed_descriptor_run(*, seed: str = "unnamed descriptor") -> Run:
    """Return a Run whose descriptor has no name, as old ones do."""
    run = RunBuilder(seed)
    primary = run.descriptor({"x": 0.0}, name=None)
    run.event(primary, {"x": 0.5})
    run.event(primary, {"x": 1.5})
    run.stop()
    return run.documents


def grid_run(shape: tuple[int, int] = (3, 4), *, seed: str = "grid") -> Run:
    """Return a scan of two motors over a grid, with a baseline before and after."""
    rows, columns = shape
    run = RunBuilder(
        seed,
        scan_id=3,
        plan_name="grid_scan",
        motors=["slow", "fast"],
        detectors=["detector"],
        shape=[rows, columns],
        extents=[[0.0, 1.0], [-1.0, 1.0]],
        snaking=[False, True],
        hints={
            "dimensions": [[["slow"], "primary"], [["fast"], "primary"]],
            "gridding": "rectilinear",
        },
    )
    baseline = run.descriptor({"temperature": 0.0, "shutter": ""}, "baseline")
    run.event(baseline, {"temperature": 21.5, "shutter": "open"})
    primary = run.descriptor(
        {"slow": 0.0, "fast": 0.0, "detector": 0},
        hints={key: {"fields": [key]} for key in ("slow", "fast", "detector")},
    )
    for row in range(rows):
        snake = range(columns) if row % 2 == 0 else reversed(range(columns))
        for column in snake:
            data = {
                "slow": row / (rows - 1),
                "fast": 2 * column / (columns - 1) - 1,
                "detector": 10 * row + column,
            }
            run.event(primary, data)
    run.event(baseline, {"temperature": 21.625, "shutter": "closed"})
    run.stop()
    return run.documents


def baseline_run(keys: int = 300, *, seed: str = "baseline") -> Run:
    """Return a Run whose baseline is two Events of very many data keys."""
    run = RunBuilder(seed, scan_id=4)
    before = {f"device_{index:03}_readback": index / 3 for index in range(keys)}
    after = {key: value + 1e-9 for key, value in before.items()}
    baseline = run.descriptor(before, "baseline")
    run.event(baseline, before)
    primary = run.descriptor({"x": 0})
    for index in range(3):
        run.event(primary, {"x": index})
    run.event(baseline, after)
    run.stop()
    return run.documents


# -- Runs with an unusual structure ----------------------------------------------------------------


def two_stops_run(*, seed: str = "two stops") -> Run:
    """Return a Run that was stopped twice: the second Run Stop counts."""
    run = simple_run(2, seed=seed)
    uid = run[0][1]["uid"]
    stop = {
        "uid": f"{uid[:-4]}stop",
        "run_start": uid,
        "time": run[-1][1]["time"] + TICK,
        "exit_status": "fail",
        "reason": "Beam dump",
        "num_events": {"primary": 2},
    }
    return [*run, ("stop", stop)]


def several_descriptors_run(events: int = 6, *, seed: str = "several descriptors") -> Run:
    """Return a Run whose stream has two descriptors, of other keys and configuration.

    Their Events alternate, two and two at equal times.
    """
    run = RunBuilder(seed, scan_id=5)
    first = run.descriptor({"x": 0.0, "old": 0}, configuration=_configuration(0.1))
    second = run.descriptor({"x": 0.0, "new": ""}, configuration=_configuration(0.2))
    for index in range(events):
        time = TIME + 1 + index // 2
        if index % 2 == 0:
            run.event(first, {"x": index / 3, "old": index}, time=time)
        else:
            run.event(second, {"x": index / 3, "new": f"{index}"}, time=time)
    run.stop()
    return run.documents


def _configuration(exposure: float) -> Document:
    return {
        "detector": {
            "data": {"exposure": exposure},
            "timestamps": {"exposure": TIME},
            "data_keys": {"exposure": data_key(exposure, units="s")},
        }
    }


def rewound_run(*, seed: str = "rewound") -> Run:
    """Return a Run that was paused and rewound: seq_nums occur twice."""
    run = RunBuilder(seed, scan_id=6)
    primary = run.descriptor({"x": 0.0})
    for index, seq_num in enumerate([1, 2, 3, 2, 3, 4]):
        run.event(primary, {"x": index / 3}, seq_num=seq_num)
    run.stop(num_events={"primary": 4})
    return run.documents


def interleaved_runs(*, seed: str = "interleaved") -> Run:
    """Return the documents of two Runs that were measured at the same time."""
    one = simple_run(4, seed=f"{seed} one")
    other = simple_run(6, seed=f"{seed} other", time=TIME + TICK / 2)
    pairs = zip_longest(one, other)
    return [item for item in chain.from_iterable(pairs) if item is not None]


def late_documents_run(*, seed: str = "late documents") -> Run:
    """Return a Run of which documents come after its Run Stop."""
    run = RunBuilder(seed, scan_id=7)
    primary = run.descriptor({"x": 0})
    run.event(primary, {"x": 1})
    run.stop()
    run.event(primary, {"x": 2})
    monitor = run.descriptor({"current": 0.0}, "monitor")
    run.event(monitor, {"current": 0.5})
    return run.documents


def children_first_run(*, seed: str = "children first") -> Run:
    """Return a Run whose documents come before those they belong to: the Run Start is last."""
    order = ["event", "datum", "stream_datum", "resource", "descriptor", "stop", "start"]
    return sorted(external_run(seed=seed), key=lambda item: order.index(item[0]))


def unknown_kinds_run(*, seed: str = "unknown kinds") -> Run:
    """Return a Run with documents of kinds that event-model does not know."""
    run = RunBuilder(seed, scan_id=8)
    run.other("sample_change", run_start=run.uid, sample={"name": "quartz", "mass": 0.25})
    primary = run.descriptor({"x": 0})
    run.event(primary, {"x": 1})
    run.other("calibration", descriptor=primary, coefficients=[1.0, -0.0, math.nan])
    run.other("remark", text="belongs to the only Run that is open")
    run.event(primary, {"x": 2})
    run.stop()
    return run.documents


# -- Runs with unusual values ----------------------------------------------------------------------


def array_run(*, seed: str = "arrays") -> Run:
    """Return a Run of nested lists, arrays of several dtypes and shapes, and ragged ones."""
    run = RunBuilder(seed, scan_id=9)
    rows = [_arrays(index) for index in range(4)]
    primary = run.descriptor(rows[0])
    for row in rows:
        run.event(primary, row)
    run.stop()
    return run.documents


def _arrays(index: int) -> Document:
    image = np.arange(12).reshape(3, 4) + index
    return {
        "list": [index, index + 1, index + 2],
        "floats": [index / 3, math.nan, -0.0],
        "nested": [[float(index), 1.0], [2.0, 3.0]],
        "ragged": [float(item) for item in range(index)],
        "ragged_nested": [[0] * item for item in range(index)],
        "strings": ["a", "b" * index],
        "image": image.astype("<u2"),
        "big_endian": image.astype(">f8"),
        "growing": np.arange(index, dtype="<i4"),
        "other_dtypes": image.astype(["<f4", "<f8", "<c16", "?"][index]),
        "flags": image > 5,
        "zero_size": np.zeros((0, 3)),
        "zero_dimensions": np.array(index),
        "records": np.array([(index, 0.5, b"a")], [("n", "<i4"), ("x", ">f8"), ("s", "S3")]),
        "times": np.array(["2024-01-01", "NaT"], "M8[us]"),
        "text": np.array([["α", "βγ"]]),
    }


def mixed_types_run(*, seed: str = "mixed types") -> Run:
    """Return a Run with columns whose values are of several types."""
    run = RunBuilder(seed, scan_id=10)
    mixed: list[Any] = [1, 1.0, True, None, "1", b"1", -0.0, math.nan, 2**70, [1], {"a": 1}, ""]
    numbers: list[Any] = [1, 2.5, 3, -0.0, math.inf, 2**53 + 1]
    flags: list[Any] = [True, False, None]
    primary = run.descriptor({"mixed": 0, "numbers": 0.0, "flags": True, "late": 0.0})
    for index, value in enumerate(mixed):
        data = {
            "mixed": value,
            "numbers": numbers[index % len(numbers)],
            "flags": flags[index % len(flags)],
        }
        run.event(primary, data | ({"late": index / 3} if index > 7 else {}))
    run.stop()
    return run.documents


STRINGS = (
    "",
    "plain",
    "Grüße, 測定, 🔬",
    "trailing NUL\0",
    "\0",
    "in\0side",
    "surrogate \ud800",
    " space ",
    "line\nbreak\r\n",
    "a.b/c$d",
    "e\u0301 and é",
    "long " * 4000,
)


def strings_run(*, seed: str = "strings") -> Run:
    """Return a Run of strings that are easily damaged, also as keys and in the metadata."""
    run = RunBuilder(seed, scan_id=11, remarks=list(STRINGS), sample={"Schlüssel.Ä\0": "\ud800"})
    keys = ["text", "plain", "with space", "with.dot", "with'quote\"", "$set", "ключ", "\0"]
    primary = run.descriptor(dict.fromkeys(keys, ""))
    for index, text in enumerate(STRINGS):
        run.event(primary, dict.fromkeys(keys, f"{index}") | {"text": text})
    run.stop()
    return run.documents


def every_type_run(*, seed: str = "every type") -> Run:
    """Return a Run with a value of every type, in Events and in the metadata."""
    run = RunBuilder(seed, scan_id=12, metadata=_every_type())
    primary = run.descriptor(_every_type())
    for _ in range(3):
        run.event(primary, _every_type())
    run.stop()
    return run.documents


_NOON = datetime(2024, 2, 29, 12, 30, 15, 123456)  # noqa: DTZ001 - a naive one must stay naive


def _every_type() -> Document:
    return copy.deepcopy(_EVERY_TYPE)


_EVERY_TYPE: Document = {
    "none": None,
    "bool": True,
    "int": -1,
    "big_int": 2**80,
    "negative_big_int": -(2**64),
    "float": 0.1,
    "negative_zero": -0.0,
    "nan": math.nan,
    "infinity": -math.inf,
    "tiny": 5e-324,
    "complex": complex(0.5, -0.0),
    "bytes": b"\0\xff",
    "str": "α",
    "naive_datetime": _NOON,
    "utc_datetime": _NOON.replace(tzinfo=UTC),
    "zoned_datetime": _NOON.replace(tzinfo=timezone(timedelta(hours=-3, minutes=-30))),
    "early_datetime": datetime(1, 1, 1),  # noqa: DTZ001 - a naive one must stay naive
    "date": date(2024, 2, 29),
    "decimal": Decimal("1.00"),
    "decimal_nan": Decimal("NaN"),
    "uuid": uuid.UUID("12345678-1234-5678-1234-567812345678"),
    "np_float64": np.float64(0.1),
    "np_float32": np.float32(0.1),
    "np_float16": np.float16(0.1),
    "np_int8": np.int8(-1),
    "np_uint64": np.uint64(2**64 - 1),
    "np_bool": np.True_,
    "np_complex64": np.complex64(1 - 0j),
    "np_str": np.str_("α"),
    "np_bytes": np.bytes_(b"\xff"),
    "np_datetime64": np.datetime64("2024-02-29T12:30:15.123456789"),
    "np_timedelta64": np.timedelta64(-1, "ms"),
    "nat": np.datetime64("NaT", "D"),
    "empty_list": [],
    "empty_dict": {},
    "nested": {"a": [{"b": [None, 1.0, {"c": b""}]}]},
}


# -- Runs with external data -----------------------------------------------------------------------


def external_run(events: int = 4, *, seed: str = "external") -> Run:
    """Return a Run whose images are in files that two Resources name; there are no files."""
    run = RunBuilder(seed, scan_id=13)
    image = data_key(np.zeros((5, 6)), external="FILESTORE:")
    primary = run.descriptor(
        {"x": 0.0}, data_keys={"x": data_key(0.0), "image": image, "dark": image}
    )
    resources = run.resource(), run.resource(spec="ANOTHER", resource_kwargs={})
    for index in range(events):
        datums = [run.datum(resource, index, frame=index) for resource in resources]
        data = {"x": index / 3} | dict(zip(("image", "dark"), datums, strict=True))
        run.event(primary, data, filled={"image": False, "dark": False})
    run.stop()
    return run.documents


def legacy_external_run(*, seed: str = "legacy external") -> Run:
    """Return a Run of old: the Resource names no Run, the Events say nothing of filled."""
    run = [
        (name, {key: value for key, value in document.items() if key != "filled"})
        for name, document in external_run(2, seed=seed)
    ]
    for name, document in run:
        if name == "resource":
            del document["run_start"]
    return run


def stream_datum_run(events: int = 6, *, seed: str = "stream datum") -> Run:
    """Return a Run whose images are in files that Stream Resources name; there are no files."""
    run = RunBuilder(seed, scan_id=14)
    image = data_key(np.zeros((4,)), external="STREAM:")
    keys = ("image", "dark")
    primary = run.descriptor(
        {"x": 0.0}, data_keys={"x": data_key(0.0)} | dict.fromkeys(keys, image)
    )
    resources = [run.stream_resource(key) for key in keys]
    for index in range(events):
        if index % 3 == 0:
            for resource in resources:
                run.stream_datum(resource, primary, range(index, min(index + 3, events)))
        run.event(primary, {"x": index / 3})
    run.stop()
    return run.documents


# -- Runs to search among --------------------------------------------------------------------------


def varied_runs() -> list[Run]:
    """Return Runs whose metadata differ in all that a query can tell apart."""
    return [
        _searched(index, metadata, items)
        for index, (metadata, items) in enumerate(zip(_METADATA, cycle(_RUN_STOPS), strict=False))
    ]


def _searched(index: int, metadata: Document, stop: Document | None) -> Run:
    time = TIME + 100 * (index * 7 % 5)
    run = RunBuilder(f"varied {index}", time=time, **copy.deepcopy(metadata))
    for name in (None, "baseline", "monitor")[: index % 4]:
        descriptor = run.descriptor({"x": 0.0, f"key_{index}": index}, name)
        run.event(descriptor, {"x": 0.5, f"key_{index}": index})
    if stop is not None:
        run.stop(**copy.deepcopy(stop))
    return run.documents


_RUN_STOPS: tuple[Document | None, ...] = (
    {},
    {"exit_status": "abort", "reason": "Beam dump"},
    None,
    {"exit_status": "fail", "reason": None, "num_events": {"primary": 10**20}},
)

_METADATA: tuple[Document, ...] = (
    {"scan_id": 1, "plan_name": "scan", "motors": ["x"], "sample": {"name": "iron oxide"}},
    {
        "scan_id": 2,
        "plan_name": "Scan",
        "motors": ["x", "y"],
        "sample": {"name": "Eisen", "mass": 1},
    },
    {"scan_id": 3.0, "plan_name": "count", "motors": [], "sample": "iron"},
    {"scan_id": "3", "plan_name": None, "motors": "x", "sample": {"name": None, "mass": 0.25}},
    {"scan_id": None, "plan_name": "", "motors": None, "sample": [{"name": "a"}, {"mass": 2}]},
    {"scan_id": True, "tags": ["α", "β", 1, None], "stop": "not a document"},
    {"scan_id": False, "tags": [[1, 2], ["x"]], "descriptors": 3},
    {"scan_id": math.nan, "tags": {"0": "zero", "x": {"y": [1, 2, 3]}}},
    {"scan_id": math.inf, "tags": ("tuple", 2.5), "history": [{"n": 1, "ok": True}, {"n": 5}]},
    {"scan_id": -0.0, "history": [{"n": 2, "ok": False}, {"n": [7, 8]}, 9], "mass": 10},
    {"scan_id": 2**63, "history": {"n": 3}, "plan_name": "grid_scan"},
    {"scan_id": 2**80, "plan_name": "iron-oxide scan", "note": "Rust, iron (oxide)"},
    {"scan_id": -1.5, "plan_name": "a\0b", "sample": {"na.me": 1, "$name": 2}},
    {"scan_id": np.int32(5), "plan_name": np.str_("scan"), "motors": np.array([1.0, 2.0])},
    {"scan_id": Decimal("2.50"), "plan_name": b"scan", "when": datetime(2024, 1, 1, tzinfo=UTC)},
    {"scan_id": 2**53 + 1, "plan_name": "\ud800", "when": datetime(2023, 1, 1)},  # noqa: DTZ001
    {"scan_id": float(2**53), "sample": {}, "tags": [], "history": [[]]},
    {},
)


# -- packing ---------------------------------------------------------------------------------------


def paged(run: Iterable[tuple[str, Document]], rows: int) -> Run:
    """Return the same Run with Event Pages and Datum Pages of at most so many rows.

    Examples
    --------
    >>> [name for name, document in paged(simple_run(events=5), 3)]
    ['start', 'descriptor', 'event_page', 'event_page', 'stop']
    """
    return [
        packed
        for layout, group in groupby(unpacked(run), _layout)
        for packed in (_pages(layout[0], list(group), rows) if layout else group)
    ]


def numpy_paged(run: Iterable[tuple[str, Document]], rows: int) -> Run:
    """Return the same Run in pages whose columns are arrays, where an array says the same."""
    return [(name, _with_arrays(name, page)) for name, page in paged(run, rows)]


def bulk(run: Iterable[tuple[str, Document]]) -> Run:
    """Return the same Run with ``bulk_events`` and ``bulk_datum``, which old Runs have.

    Examples
    --------
    >>> [name for name, document in bulk(simple_run(events=5))]
    ['start', 'descriptor', 'bulk_events', 'stop']
    """
    singles = unpacked(run)
    streams = {
        doc["uid"]: doc.get("name", "primary") for name, doc in singles if name == "descriptor"
    }
    return [
        packed
        for key, group in groupby(singles, _bulk_key)
        for packed in _bulks(key, list(group), streams)
    ]


_EVENT_ITEMS = ("uid", "seq_num", "time")
_GROUPS = {"event": ("data", "timestamps", "filled"), "datum": ("datum_kwargs",)}
_PAGED_ITEMS = {
    "event": {"descriptor", *_EVENT_ITEMS, *_GROUPS["event"]},
    "datum": {"resource", "datum_id", *_GROUPS["datum"]},
}


def _layout(item: tuple[str, Mapping[str, Any]]) -> tuple[Any, ...] | None:
    """Return what documents must have in common to share a page; None for those without page."""
    name, document = item
    if name not in _GROUPS or not document.keys() <= _PAGED_ITEMS[name]:
        return None
    keys = (frozenset(document[group]) if group in document else None for group in _GROUPS[name])
    return name, document.get("descriptor"), document.get("resource"), *keys


def _pages(
    name: str, group: list[tuple[str, Mapping[str, Any]]], rows: int
) -> Iterator[tuple[str, Document]]:
    for first in range(0, len(group), rows):
        documents = [document for _, document in group[first : first + rows]]
        yield (
            f"{name}_page",
            {key: _column_of(key, name, documents, value) for key, value in documents[0].items()},
        )


def _column_of(key: str, name: str, documents: list[Mapping[str, Any]], first: Any) -> Any:
    if key in ("descriptor", "resource"):
        return first
    if key in _GROUPS[name]:
        return {inner: [document[key][inner] for document in documents] for inner in first}
    return [document[key] for document in documents]


def _with_arrays(name: str, page: Document) -> Document:
    if not name.endswith("_page"):
        return page
    return {
        key: {inner: _as_array(column) for inner, column in value.items()}
        if isinstance(value, dict)
        else _as_array(value)
        for key, value in page.items()
    }


def _as_array(column: Any) -> Any:
    """Return the array that stands for the same values, or else the column as it is."""
    if not isinstance(column, list) or not (_one_scalar_type(column) or _one_array_type(column)):
        return column
    # Of arrays in a list, numpy would make one of native byte order.
    array = np.array(column, dtype=getattr(column[0], "dtype", None))
    back = array.tolist() if array.ndim == 1 else list(array)
    return array if array.dtype != object and not differences(column, back) else column


def _one_scalar_type(column: list[Any]) -> bool:
    types = set(map(type, column))
    return len(types) == 1 and types <= {bool, int, float, complex, str, bytes}


def _one_array_type(column: list[Any]) -> bool:
    return all(isinstance(row, np.ndarray) and row.ndim > 0 for row in column) and (
        len({(row.dtype, row.shape) for row in column}) == 1
    )


def _bulk_key(item: tuple[str, Mapping[str, Any]]) -> tuple[Any, ...] | None:
    name, document = item
    return (name, document.get("resource")) if name in _GROUPS else None


def _bulks(
    key: tuple[Any, ...] | None,
    group: list[tuple[str, Mapping[str, Any]]],
    streams: Mapping[str, str | None],
) -> Iterator[tuple[str, Any]]:
    documents = [document for _, document in group]
    match key:
        case None:
            yield from group
        case ("event", _):
            events: dict[str, list[Any]] = {}
            for document in documents:
                stream = streams.get(document["descriptor"]) or "primary"
                events.setdefault(stream, []).append(document)
            yield "bulk_events", events
        case (_, resource):
            yield (
                "bulk_datum",
                {
                    "resource": resource,
                    "datum_ids": [document["datum_id"] for document in documents],
                    "datum_kwarg_list": [document["datum_kwargs"] for document in documents],
                },
            )


RUNS: dict[str, Callable[[], Run]] = {
    "simple": simple_run,
    "no stop": no_stop_run,
    "no events": no_events_run,
    "no descriptors": no_descriptors_run,
    "unnamed descriptor": unnamed_descriptor_run,
    "grid": grid_run,
    "baseline": baseline_run,
    "two stops": two_stops_run,
    "several descriptors": several_descriptors_run,
    "rewound": rewound_run,
    "interleaved": interleaved_runs,
    "late documents": late_documents_run,
    "children first": children_first_run,
    "unknown kinds": unknown_kinds_run,
    "arrays": array_run,
    "mixed types": mixed_types_run,
    "strings": strings_run,
    "every type": every_type_run,
    "external": external_run,
    "legacy external": legacy_external_run,
    "stream datum": stream_datum_run,
    "pages": lambda: paged(grid_run(seed="pages"), 5),
    "pages of external": lambda: paged(external_run(seed="pages of external"), 3),
    "pages of arrays": lambda: paged(array_run(seed="pages of arrays"), 3),
    "pages of mixed types": lambda: paged(mixed_types_run(seed="pages of mixed types"), 4),
    "numpy pages": lambda: numpy_paged(grid_run(seed="numpy pages"), 5),
    "numpy pages of arrays": lambda: numpy_paged(array_run(seed="numpy pages of arrays"), 3),
    "bulk": lambda: bulk(grid_run(seed="bulk")),
    "bulk of external": lambda: bulk(external_run(seed="bulk of external")),
    "bulk of several descriptors": lambda: bulk(several_descriptors_run(seed="bulk of several")),
}
"""Every made-up Run by name; each call makes new documents."""
