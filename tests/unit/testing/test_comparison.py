"""The comparison must see every planted difference, and none where there is none."""

import copy
import math
import struct
from collections import OrderedDict, namedtuple
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from databroker.errors import InvalidDocumentError
from databroker.testing import documents
from databroker.testing.comparison import (
    assert_identical,
    assert_same_documents,
    differences,
    unpacked,
)
from databroker.testing.strategies import runs, values

NOON = datetime(2024, 1, 1, 12)  # noqa: DTZ001
ANY_UUID = UUID("12345678-1234-5678-1234-567812345678")
PAIR = np.dtype([("a", "<i4"), ("b", "<f8")])
Point = namedtuple("Point", "x y")


class Color(StrEnum):
    RED = "red"


def float_of(bits: int) -> float:
    return struct.unpack("<d", struct.pack("<Q", bits))[0]


def objects(*items: Any) -> np.ndarray:
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array


DIFFERENT: dict[str, tuple[Any, Any]] = {
    "True and 1": (True, 1),
    "False and 0.0": (False, 0.0),
    "1 and 1.0": (1, 1.0),
    "0.0 and -0.0": (0.0, -0.0),
    "two floats one bit apart": (0.1, math.nextafter(0.1, 1)),
    "NaN and None": (math.nan, None),
    "NaN and a number": (math.nan, 1.0),
    "infinities": (math.inf, -math.inf),
    "big integers": (2**80, 2**80 + 1),
    "a big integer and its float": (2**80, float(2**80)),
    "np.float64 and float": (np.float64(1.5), 1.5),
    "np.int32 and np.int64": (np.int32(1), np.int64(1)),
    "np.bool and bool": (np.True_, True),
    "np.str_ and str": (np.str_("a"), "a"),
    "np.bytes_ and bytes": (np.bytes_(b"a"), b"a"),
    "np.float64 zeros": (np.float64(0.0), np.float64(-0.0)),
    "bytes and str": (b"a", "a"),
    "bytes and bytearray": (b"a", bytearray(b"a")),
    "trailing NUL": ("a", "a\0"),
    "trailing NUL of np.str_": (np.str_("a"), np.str_("a\0")),
    "surrogates": ("\ud800", "\ud801"),
    "an Enum and its value": (Color.RED, "red"),
    "empty string and None": ("", None),
    "None and absent": ({"a": None}, {}),
    "absent and None": ({}, {"a": None}),
    "keys 1 and True": ({1: "a"}, {True: "a"}),
    "keys '1' and 1": ({"1": "a"}, {1: "a"}),
    "a nested value": ({"a": [{"b": (1, 2)}]}, {"a": [{"b": (1, 3)}]}),
    "empty dict and empty list": ({}, []),
    "shorter list": ([1, 2, 3], [1, 2]),
    "longer list": ([1, 2], [1, 2, 3]),
    "order of a list": ([1, 2], [2, 1]),
    "list and array": ([1, 2], np.array([1, 2])),
    "array and list": (np.array([1.0]), [1.0]),
    "scalar and 0-d array": (np.float64(1.0), np.array(1.0)),
    "0-d and 1-d array": (np.array(1.0), np.array([1.0])),
    "shapes": (np.zeros((2, 3)), np.zeros((3, 2))),
    "empty shapes": (np.zeros((0, 3)), np.zeros((3, 0))),
    "dtypes": (np.zeros(2, "<i4"), np.zeros(2, "<i8")),
    "dtypes of empty arrays": (np.zeros(0, "<i4"), np.zeros(0, "<i8")),
    "byte orders": (np.ones(2, "<f8"), np.ones(2, ">f8")),
    "string widths": (np.array(["a"], "<U1"), np.array(["a"], "<U2")),
    "an element": (np.arange(9).reshape(3, 3), np.arange(9).reshape(3, 3).T),
    "a zero's sign in an array": (np.array([0.0]), np.array([-0.0])),
    "NaN in an array": (np.array([math.nan]), np.array([0.0])),
    "a complex zero's sign": (complex(1, 0.0), complex(1, -0.0)),
    "a complex zero's sign in an array": (
        np.array([complex(0.0, 1)]),
        np.array([complex(-0.0, 1)]),
    ),
    "float16 by one bit": (np.array([1], "<u2").view("<f2"), np.array([2], "<u2").view("<f2")),
    "a field's value": (np.array([(1, 2.0)], PAIR), np.array([(1, -2.0)], PAIR)),
    "a field's name": (np.zeros(1, [("a", "i4")]), np.zeros(1, [("b", "i4")])),
    "a field's byte order": (np.zeros(1, [("a", "<i4")]), np.zeros(1, [("a", ">i4")])),
    "a record's value": (np.array([(1, 2.0)], PAIR)[0], np.array([(2, 2.0)], PAIR)[0]),
    "a record and a tuple": (np.array([(1, 2.0)], PAIR)[0], (1, 2.0)),
    "void bytes": (np.void(b"ab"), np.void(b"ac")),
    "objects 1 and True": (objects(1, "a"), objects(True, "a")),
    "objects inside objects": (objects([1.0], None), objects([-1.0], None)),
    "a mask": (np.ma.array([1, 2], mask=[0, 1]), np.ma.array([1, 2], mask=[1, 1])),
    "NaT and a date": (np.array(["NaT"], "M8[s]"), np.array([0], "M8[s]")),
    "units of datetime64": (np.datetime64(1, "s"), np.datetime64(1000, "ms")),
    "datetime64 and datetime": (np.datetime64(NOON), NOON),
    "aware and naive": (NOON.replace(tzinfo=UTC), NOON),
    "one instant in two zones": (
        NOON.replace(tzinfo=UTC),
        (NOON + timedelta(hours=1)).replace(tzinfo=timezone(timedelta(hours=1))),
    ),
    "a fold": (NOON, NOON.replace(fold=1)),
    "datetime and its text": (NOON, NOON.isoformat()),
    "datetime and date": (NOON, NOON.date()),
    "digits of a Decimal": (Decimal("1.0"), Decimal("1.00")),
    "Decimal and float": (Decimal("1.5"), 1.5),
    "UUID and str": (ANY_UUID, str(ANY_UUID)),
    "complex and float": (1 + 0j, 1.0),
    "set and list": ({1}, [1]),
}

SAME: dict[str, tuple[Any, Any]] = {
    "order of keys": ({"a": 1, "b": {"c": 2, "d": 3}}, {"b": {"d": 3, "c": 2}, "a": 1}),
    "any mapping": ({"a": {"b": 1}}, MappingProxyType({"a": OrderedDict(b=1)})),
    "tuples": ({"a": (1, (2, 3))}, {"a": [1, [2, 3]]}),
    "a namedtuple": (Point(1, 2), [1, 2]),
    "NaN": ([math.nan], [float("nan")]),
    "payloads of NaN": (float_of(0x7FF8000000000001), float_of(0xFFF8000000000002)),
    "NaN in arrays": (np.array([1, math.nan]), np.array([1, math.nan])),
    "payloads of NaN in arrays": (
        np.array([0x7FF8000000000001], "u8").view("f8"),
        np.array([0xFFF8000000000002], "u8").view("f8"),
    ),
    "complex NaN": (complex(math.nan, 1), complex(math.nan, 1)),
    "complex NaN in arrays": (np.array([complex(1, math.nan)]), np.array([complex(1, math.nan)])),
    "NaT": (np.array(["NaT", 1], "M8[ns]"), np.array(["NaT", 1], "M8[ns]")),
    "a NaT scalar": (np.datetime64("NaT", "s"), np.datetime64("NaT", "s")),
    "NaN in a record": (np.array([(1, math.nan)], PAIR), np.array([(1, math.nan)], PAIR)),
    "NaN among objects": (objects(math.nan, [1]), objects(math.nan, (1,))),
    "native and little-endian": (np.zeros(2), np.zeros(2, "=f8")),
    "memory order": (np.arange(6).reshape(2, 3), np.asfortranarray(np.arange(6).reshape(2, 3))),
    "not contiguous": (np.arange(10)[::2], np.array([0, 2, 4, 6, 8])),
    "0-d arrays": (np.array(3), np.array(3)),
    "empty arrays": (np.zeros((0, 2), ">c16"), np.zeros((0, 2), ">c16")),
    "void": (np.void(b"ab"), np.void(b"ab")),
    "masked": (np.ma.array([1, 2], mask=[0, 1]), np.ma.array([1, 2], mask=[0, 1])),
    "Decimal NaN": (Decimal("NaN"), Decimal("NaN")),
    "aware datetimes": (NOON.replace(tzinfo=UTC), NOON.replace(tzinfo=timezone(timedelta(0)))),
    "big integers": (2**80, 2**80),
}


@pytest.mark.parametrize(("expected", "actual"), DIFFERENT.values(), ids=DIFFERENT.keys())
def test_a_planted_difference_is_found_wherever_it_is(expected, actual):
    for left, right in [(expected, actual), (actual, expected)]:
        assert differences(left, right)
        assert differences({"a": [left]}, {"a": [right]})
    with pytest.raises(AssertionError, match="difference"):
        assert_identical({"data": {"x": expected}}, {"data": {"x": actual}})


@pytest.mark.parametrize(("expected", "actual"), SAME.values(), ids=SAME.keys())
def test_no_difference_is_seen_between_equal_values(expected, actual):
    assert differences(expected, actual) == []
    assert differences([{"a": actual}], [{"a": expected}]) == []


def test_a_tuple_is_no_list_if_asked():
    assert differences((1, 2), [1, 2], tuples_as_lists=False) == [
        "document: expected (1, 2) (tuple), got [1, 2] (list)"
    ]
    assert differences({"a": (1, [2])}, {"a": (1, [2])}, tuples_as_lists=False) == []
    with pytest.raises(AssertionError):
        assert_identical({"a": (1,)}, {"a": [1]}, tuples_as_lists=False)


def test_a_line_names_the_path_the_values_and_the_types():
    assert differences(
        {"data": {"image": np.array([[1, 2], [3, 4]], "<i4"), "x": 1}},
        {"data": {"image": np.array([[1, 2], [3, 5]], "<i4"), "x": "1"}},
    ) == [
        (
            "document['data']['image'][1, 1]: expected np.int32(4) (int32 of <i4), "
            "got np.int32(5) (int32 of <i4)"
        ),
        "document['data']['x']: expected 1 (int), got '1' (str)",
    ]


def test_a_line_names_dtype_and_shape_of_arrays():
    assert differences(np.zeros(1, "<f8"), np.zeros((1, 1), ">f8")) == [
        (
            "document: expected array([0.]) (ndarray of <f8, shape (1,)), "
            "got array([[0.]], dtype='>f8') (ndarray of >f8, shape (1, 1))"
        )
    ]


def test_many_differing_elements_of_an_array_are_counted():
    lines = differences(np.zeros(100), np.ones(100))
    assert len(lines) == 6
    assert lines[-1] == "document: 95 more of 100 elements differ"


def test_the_message_lists_twenty_differences_and_counts_the_rest():
    with pytest.raises(AssertionError) as failure:
        assert_identical(list(range(50)), [str(item) for item in range(50)])
    lines = str(failure.value).splitlines()
    assert lines[0] == "50 differences:"
    assert lines[1] == "document[0]: expected 0 (int), got '0' (str)"
    assert len(lines) == 22
    assert lines[-1] == "… and 30 more"


@given(values())
def test_every_value_equals_its_copy(value):
    assert differences(value, copy.deepcopy(value)) == []


@given(values(), st.lists(st.sampled_from(["a", 0]), max_size=3))
def test_a_value_never_equals_something_of_another_type(value, path):
    other = (value,) if not isinstance(value, (list, tuple)) else {"only": value}
    for key in path:
        value, other = ({key: value}, {key: other}) if key else ([value], [other])
    assert differences(value, other)


@given(runs())
def test_every_made_up_run_is_the_same_as_its_copy(run):
    assert_same_documents(run, copy.deepcopy(run))


# -- unpacking -------------------------------------------------------------------------------------


def test_an_event_page_becomes_its_events():
    page = {
        "descriptor": "d",
        "uid": ["e1", "e2"],
        "seq_num": [1, 2],
        "time": [0.5, 1.5],
        "data": {"x": [1, None]},
        "timestamps": {"x": [0.25, 1.25]},
        "filled": {"x": [True, "datum"]},
        "note": "of all rows",
        "quality": ("good", "bad"),
    }
    assert_identical(
        unpacked([("start", {"uid": "a"}), ("event_page", page)]),
        [
            ("start", {"uid": "a"}),
            (
                "event",
                {
                    "descriptor": "d",
                    "uid": "e1",
                    "seq_num": 1,
                    "time": 0.5,
                    "data": {"x": 1},
                    "timestamps": {"x": 0.25},
                    "filled": {"x": True},
                    "note": "of all rows",
                    "quality": "good",
                },
            ),
            (
                "event",
                {
                    "descriptor": "d",
                    "uid": "e2",
                    "seq_num": 2,
                    "time": 1.5,
                    "data": {"x": None},
                    "timestamps": {"x": 1.25},
                    "filled": {"x": "datum"},
                    "note": "of all rows",
                    "quality": "bad",
                },
            ),
        ],
    )


def test_arrays_in_a_page_become_python_values_or_rows():
    page = {
        "descriptor": "d",
        "uid": np.array(["e1", "e2"]),
        "seq_num": np.array([1, 2], ">i2"),
        "time": np.array([0.5, 1.5]),
        "data": {
            "image": np.arange(8, dtype="<u2").reshape(2, 2, 2),
            "when": np.array([1, 2], "M8[ns]"),
            "pair": np.array([(1, 2.0), (3, 4.0)], PAIR),
            "flag": np.array([True, False]),
        },
        "timestamps": {},
    }
    (_, event), _ = unpacked([("event_page", page)])
    assert_identical(
        event,
        {
            "descriptor": "d",
            "uid": "e1",
            "seq_num": 1,
            "time": 0.5,
            "data": {
                "image": np.array([[0, 1], [2, 3]], "<u2"),
                "when": np.datetime64(1, "ns"),
                "pair": np.array([(1, 2.0)], PAIR)[0],
                "flag": True,
            },
            "timestamps": {},
        },
    )


def test_pages_without_rows_become_nothing():
    empty = {"uid": [], "seq_num": [], "time": [], "data": {"x": []}, "timestamps": {"x": []}}
    assert unpacked([("event_page", {"descriptor": "d", **empty})]) == []
    assert unpacked([("datum_page", {"resource": "r", "datum_id": [], "datum_kwargs": {}})]) == []
    assert unpacked([("bulk_events", {"primary": []}), ("bulk_events", {})]) == []
    bulk_datum = {"resource": "r", "datum_ids": [], "datum_kwarg_list": []}
    assert unpacked([("bulk_datum", bulk_datum)]) == []


def test_a_page_with_a_column_of_another_length_is_refused():
    page = {"descriptor": "d", "uid": ["e"], "seq_num": [1], "time": [0.0], "timestamps": {}}
    with pytest.raises(InvalidDocumentError, match="1 rows, but its column 'x' has 2"):
        unpacked([("event_page", {**page, "data": {"x": [1, 2]}})])


def test_bulks_become_single_documents():
    events = [{"uid": "e1", "descriptor": "d"}, {"uid": "e2", "descriptor": "d"}]
    others = [{"uid": "e3", "descriptor": "f"}]
    bulk_datum = {
        "resource": "r",
        "datum_ids": ["r/0", "r/1"],
        "datum_kwarg_list": [{"a": 1}, {"b": 2}],
    }
    assert unpacked(
        [("bulk_events", {"primary": events, "other": others}), ("bulk_datum", bulk_datum)]
    ) == [
        ("event", events[0]),
        ("event", events[1]),
        ("event", others[0]),
        ("datum", {"resource": "r", "datum_id": "r/0", "datum_kwargs": {"a": 1}}),
        ("datum", {"resource": "r", "datum_id": "r/1", "datum_kwargs": {"b": 2}}),
    ]


# -- whole Runs ------------------------------------------------------------------------------------

Run = list[tuple[str, dict[str, Any]]]


def external() -> Run:
    return copy.deepcopy(documents.external_run())


def indices(run: Run, name: str) -> list[int]:
    return [index for index, (kind, _) in enumerate(run) if kind == name]


def dropped(name: str) -> Callable[[Run], Run]:
    def change(run: Run) -> Run:
        del run[indices(run, name)[-1]]
        return run

    return change


def duplicated(name: str) -> Callable[[Run], Run]:
    def change(run: Run) -> Run:
        index = indices(run, name)[-1]
        return [*run[:index], run[index], *run[index:]]

    return change


def swapped(name: str) -> Callable[[Run], Run]:
    def change(run: Run) -> Run:
        one, other = indices(run, name)[:2]
        run[one], run[other] = run[other], run[one]
        return run

    return change


def edited(name: str, edit: Callable[[dict[str, Any]], Any]) -> Callable[[Run], Run]:
    def change(run: Run) -> Run:
        edit(run[indices(run, name)[0]][1])
        return run

    return change


def one_ulp_later(document: dict[str, Any]) -> None:
    key = next(iter(document["timestamps"]))
    document["timestamps"][key] = math.nextafter(document["timestamps"][key], math.inf)


def exchange_data(run: Run) -> Run:
    one, other = (run[index][1] for index in indices(run, "event")[:2])
    one["data"], other["data"] = other["data"], one["data"]
    return run


def moved(name: str, place: int) -> Callable[[Run], Run]:
    def change(run: Run) -> Run:
        run.insert(place, run.pop(indices(run, name)[-1]))
        return run

    return change


PLANTED: dict[str, Callable[[Run], Run]] = {
    "dropped event": dropped("event"),
    "dropped start": dropped("start"),
    "dropped stop": dropped("stop"),
    "dropped descriptor": dropped("descriptor"),
    "dropped resource": dropped("resource"),
    "dropped datum": dropped("datum"),
    "duplicated event": duplicated("event"),
    "duplicated descriptor": duplicated("descriptor"),
    "duplicated datum": duplicated("datum"),
    "swapped events of a descriptor": swapped("event"),
    "exchanged data": exchange_data,
    "timestamp one bit later": edited("event", one_ulp_later),
    "time as integer": edited("stop", lambda doc: doc.update(time=int(doc["time"]))),
    "missing filled": edited("event", lambda doc: doc.pop("filled")),
    "empty filled": edited("event", lambda doc: doc["filled"].clear()),
    "filled as integer": edited("event", lambda doc: doc["filled"].update(image=0)),
    "missing key": edited("event", lambda doc: doc["data"].popitem()),
    "new key": edited("event", lambda doc: doc["data"].update(new=None)),
    "other seq_num": edited("event", lambda doc: doc.update(seq_num=17)),
    "other datum kwargs": edited("datum", lambda doc: doc["datum_kwargs"].update(frame=17)),
    "datum of another resource": edited("datum", lambda doc: doc.update(resource="other")),
    "metadata": edited("start", lambda doc: doc.update(note=None)),
    "other kind": lambda run: [("else" if name == "datum" else name, doc) for name, doc in run],
    "start not first": moved("start", 2),
    "stop not last": moved("stop", -1),
    "nothing at all": lambda run: [],
}


@pytest.mark.parametrize("plant", PLANTED.values(), ids=PLANTED.keys())
@pytest.mark.parametrize("packing", ["single", "pages", "bulk"])
def test_a_difference_planted_into_a_run_is_found(plant, packing):
    pack = {
        "single": list,
        "pages": lambda run: documents.paged(run, 2),
        "bulk": documents.bulk,
    }[packing]
    assert_same_documents(pack(external()), external())
    with pytest.raises(AssertionError, match="difference"):
        assert_same_documents(pack(external()), plant(external()))


def test_the_stop_inserted_last_must_come_last():
    run = documents.two_stops_run()
    assert_same_documents(run, run)
    with pytest.raises(AssertionError, match=r"stop '.*' comes before stop '.*'"):
        assert_same_documents(run, [*run[:-2], run[-1], run[-2]])


def test_an_event_of_another_run_is_found():
    run, stranger = documents.simple_run(), documents.simple_run(seed="other")
    with pytest.raises(AssertionError, match=r"event '.*' was never inserted"):
        assert_same_documents(run, [*run[:-1], stranger[2], run[-1]])


def test_what_is_missing_is_named():
    run = documents.simple_run()
    with pytest.raises(AssertionError, match=f"event '{run[2][1]['uid']}' is missing"):
        assert_same_documents(run, [*run[:2], *run[3:]])


def test_a_duplicate_is_named():
    run = documents.simple_run()
    with pytest.raises(AssertionError, match="was given back once too often"):
        assert_same_documents(run, [*run[:3], *run[2:]])


def test_a_changed_event_is_named_with_its_key():
    run = documents.simple_run()
    changed = copy.deepcopy(run)
    changed[2][1]["data"]["motor"] = "here"
    with pytest.raises(AssertionError, match=rf"event '{run[2][1]['uid']}'\['data'\]\['motor'\]"):
        assert_same_documents(run, changed)


def test_order_of_insertion_says_nothing_across_descriptors():
    run = documents.several_descriptors_run()
    events = [item for item in run if item[0] == "event"]
    others = [item for item in run if item[0] not in ("event", "stop")]
    events.sort(key=lambda item: item[1]["descriptor"])
    assert_same_documents(run, [*others, *events, run[-1]])


def test_runs_given_back_one_by_one_equal_interleaved_ones():
    run = documents.interleaved_runs()
    starts = [doc["uid"] for name, doc in run if name == "start"]
    belongs: dict[str, str] = {}
    for _, doc in run:
        belongs[doc["uid"]] = (
            doc.get("run_start") or belongs.get(doc.get("descriptor", "")) or doc["uid"]
        )
    one_by_one = [item for start in starts for item in run if belongs[item[1]["uid"]] == start]
    assert one_by_one != run
    assert_same_documents(run, one_by_one)


def test_a_resource_emitted_again_for_another_run_is_two_documents():
    resource = {"uid": "r", "spec": "S"}
    first = [("start", {"uid": "a"}), ("resource", {**resource, "run_start": "a"})]
    second = [("start", {"uid": "b"}), ("resource", {**resource, "run_start": "b"})]
    assert_same_documents(first + second, second + first)
    with pytest.raises(AssertionError, match="resource 'r' is missing"):
        assert_same_documents(first + second, first + second[:1])


@pytest.mark.parametrize("name", documents.RUNS)
def test_every_made_up_run_equals_its_single_documents(name):
    run = documents.RUNS[name]()
    singles = unpacked(run)
    order = ["start", "stop"]
    stops = [item for item in singles if item[0] == "stop"]
    starts = [item for item in singles if item[0] == "start"]
    rest = [item for item in singles if item[0] not in order]
    assert_same_documents(run, [*starts, *rest, *stops])
