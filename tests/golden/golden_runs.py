"""Runs with all that happens at a beamline: what databroker 1.2.5 was asked about."""

import copy
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np

Document: TypeAlias = dict[str, Any]
Named: TypeAlias = tuple[str, Document]

EPOCH = 1_600_000_000.0


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


# --- giving them away ----------------------------------------------------------------------------


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
