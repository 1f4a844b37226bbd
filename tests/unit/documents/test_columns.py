"""Columns keep their values exactly, and give the same array however they were stored."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from databroker.documents.columns import ABSENT, Column, Part, Table, array_of, concatenated
from databroker.documents.pages import dump, stored_columns
from databroker.stores.rows import rows_of
from databroker.testing.comparison import assert_identical
from databroker.testing.strategies import columns

EXAMPLES: tuple[list[Any], ...] = (
    [],
    [None],
    [ABSENT],
    [None, ABSENT],
    [1, 2, 3],
    [-(2**63), 2**63 - 1],
    [2**63, -1],
    [2**63, 2.5],
    [2**53 + 1, 0.5],
    [-(2**53) - 1, 0.5, 1],
    [10**400, 1.5],
    [1, None, 2],
    [1, ABSENT, 2],
    [2**53 + 1, ABSENT],
    [1.5, None, ABSENT],
    ["a", ABSENT, "b"],
    [True, False, True],
    [True, ABSENT],
    [True, 1, 1.0],
    ["a", "b\0", "c"],
    ["a\0b", "c"],
    ["\ud800", "\udc00"],
    ["12345678-1234-5678-1234-567812345678", "ABCDEF78-1234-5678-1234-567812345678"],
    ["12345678-1234-5678-1234-567812345678", "12345678-1234-5678-1234-567812345679"],
    [[1, 2], [3, 4]],
    [[1, 2], [3]],
    [[1, 2], [3.5, 4]],
    [[2**53 + 1], [0.5]],
    [[], [1]],
    [[], []],
    [[[1], [2]], [[3], [4]]],
    [["a", "b"], ["c\0", "d"]],
    [[1, 2], None, [3, 4]],
    [[1, 2], ABSENT, [3, 4]],
    [[None], [1]],
    [{"a": 1}, {"a": 2}],
    [b"a", b"b"],
    [1 + 2j, 3j],
    [np.complex64(1), np.complex128(2)],
    [np.complex64(1), None, np.complex64(2)],
    [1.5, np.array(2.5)],
    [np.array("a"), "b"],
    [np.array("a", "U3")],
    [np.array(b"a", "S3")],
    [np.array(1.5, ">f8")],
    [np.array((1,), [("x", ">i4")])],
    [np.array(True), True],
    [np.array(1), np.array(2)],
    [np.float32(0.5), 1.5],
    [np.int8(1), 5],
    [np.int8(-128), 0.5],
    [np.int64(-(2**63)), 0.5],
    [np.uint64(2**64 - 1), np.int8(-1)],
    [np.float16(0.5), np.int16(3000)],
    [np.datetime64("2024-01-01"), np.datetime64("NaT")],
    [np.datetime64("2024-01-01"), np.datetime64("2024-01-01T00:00:01")],
    [np.datetime64("2024-01-01", "ns"), None],
    [np.timedelta64(1, "s"), ABSENT],
    [np.arange(3), np.arange(3.0)],
    [np.arange(3), np.arange(4)],
    [np.arange(3), [1, 2, 3]],
    [np.zeros((2, 0)), np.ones((2, 0))],
    [np.array([1], ">f8"), np.array([2], ">f8")],
    [np.array([1], ">f8"), np.array([2], "<f8")],
    [np.array(["a"]), np.array(["bcd"])],
    [np.array([b"a"]), np.array([b"bcd"])],
    [np.array([(1, 2.0)], [("n", "<i4"), ("x", "<f8")])] * 2,
    [np.array([True]), np.array([1])],
    [np.array([None, 1], dtype=object), [2, 3]],
)


def stored(part: Part) -> Part:
    """Return the part after it went through bytes."""
    page = dump(Table(part.count, {("data", "x"): Column((part,))}))
    (column,) = stored_columns(page.head)
    return column.load(part.count, memoryview(page.bodies[0]))


def split(values: Sequence[Any], cuts: Sequence[int]) -> Column:
    """Return the values in parts, each of which went through bytes."""
    places = sorted({0, len(values), *(cut % (len(values) + 1) for cut in cuts)})
    parts = [stored(Part.of(values[start:stop])) for start, stop in pairwise(places)]
    return Column(tuple(parts) or (Part.of([]),))


def assert_same_array(expected: np.ndarray, actual: np.ndarray) -> None:
    assert actual.shape == expected.shape
    assert actual.dtype == expected.dtype
    assert_identical(expected, actual)


@st.composite
def gappy_columns(draw: st.DrawFn) -> list[Any]:
    values = draw(columns())
    gaps = draw(st.lists(st.sampled_from([None, ABSENT]), max_size=3))
    for gap in gaps:
        values.insert(draw(st.integers(0, len(values))), gap)
    return values


def cuts() -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(0, 20), max_size=4)


# -- exact values ----------------------------------------------------------------------------------


@pytest.mark.parametrize("values", EXAMPLES, ids=repr)
def test_a_column_of_each_kind_is_kept_exactly(values: list[Any]) -> None:
    assert_kept(values)
    for cut in range(1, len(values)):
        assert_identical(values, split(values, [cut]).to_pylist())


@settings(max_examples=200)
@given(gappy_columns(), cuts())
def test_a_column_is_kept_exactly(values: list[Any], cuts: list[int]) -> None:
    assert_kept(values)
    assert_identical(values, split(values, cuts).to_pylist())


def assert_kept(values: list[Any]) -> None:
    part = Part.of(values)
    assert part.count == len(values)
    assert_identical(values, part.to_pylist())
    assert_identical(values, stored(part).to_pylist())
    assert_identical(values, stored(stored(part)).to_pylist())


@settings(max_examples=150)
@given(gappy_columns(), cuts(), st.integers(0, 15), st.integers(0, 15))
def test_rows_of_a_column_are_those_of_its_values(
    values: list[Any], cuts: list[int], one: int, other: int
) -> None:
    start, stop = sorted((min(one, len(values)), min(other, len(values))))
    rows = rows_of(split(values, cuts), start, stop)
    assert_identical(values[start:stop], rows.to_pylist())
    again = [stored(part) for part in rows.parts]
    assert_identical(values[start:stop], Column(tuple(again)).to_pylist())
    part = stored(Part.of(values)).rows(start, stop)
    assert_identical(values[start:stop], stored(part).to_pylist())


@settings(max_examples=50)
@given(gappy_columns(), cuts())
def test_a_column_knows_which_rows_lack_the_key(values: list[Any], cuts: list[int]) -> None:
    column = split(values, cuts)
    assert column.is_absent().tolist() == [value is ABSENT for value in values]
    assert len(column) == len(values)


@pytest.mark.parametrize("count", [1, 7, 8, 9, 300])
def test_labels_uuids_and_long_texts_are_kept(count: int) -> None:
    labels = [f"label {n % 3}" for n in range(count)]
    uuids = [f"{n:08x}-1234-5678-9abc-def012345678" for n in range(count)]
    unlike = [f"{'ä' * n}{n}" for n in range(count)]
    many_labels = [f"{n}" for n in range(count)] * 3
    for values in (labels, uuids, unlike, many_labels):
        assert_kept(values)
        assert_same_array(np.array(values), split(values, []).to_numpy())


def test_values_handed_out_share_nothing() -> None:
    for values in ([[1, 2], [3]], [{"a": []}, {"a": []}], [np.zeros(2), np.zeros(2)]):
        column = Column.of(values)
        first = column.to_pylist()[0]
        if isinstance(first, np.ndarray):
            first[:] = 7
        elif isinstance(first, list):
            first.append(7)
        else:
            first["a"].append(7)
        assert_identical(values, column.to_pylist())


# -- arrays ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("values", EXAMPLES, ids=repr)
def test_an_array_does_not_depend_on_paging_for_each_kind(values: list[Any]) -> None:
    whole = Column.of(values).to_numpy()
    for cut in range(len(values) + 1):
        assert_same_array(whole, split(values, [cut]).to_numpy())
    assert_same_array(whole, split(values, list(range(len(values)))).to_numpy())


@settings(max_examples=250)
@given(gappy_columns(), cuts())
def test_an_array_does_not_depend_on_paging(values: list[Any], cuts: list[int]) -> None:
    assert_same_array(Column.of(values).to_numpy(), split(values, cuts).to_numpy())


@pytest.mark.parametrize("encode", ["labels", "texts"])
def test_an_array_of_texts_of_very_different_length_does_not_depend_on_paging(encode: str) -> None:
    short = ["a"] * 1000 if encode == "labels" else [f"{n}" for n in range(1000)]
    values = [*short, "x" * 20_000]
    whole = Column.of(values).to_numpy()
    assert_same_array(array_of(values), whole)
    assert_same_array(whole, split(values, [1000]).to_numpy())


@settings(max_examples=150)
@given(gappy_columns())
def test_an_array_is_writable_and_its_own(values: list[Any]) -> None:
    column = Column.of(values)
    first, second = column.to_numpy(), column.to_numpy()
    assert first.flags.writeable
    assert not np.shares_memory(first, second)


# -- the rules, once more, in plain loops ----------------------------------------------------------

NUMBERS = (int, float, np.integer, np.floating)


def is_number(value: Any) -> bool:
    return isinstance(value, NUMBERS) and not isinstance(value, bool | np.timedelta64)


def expected_array(values: Sequence[Any]) -> tuple[str, list[Any]]:
    """Return the kind of array that the documented rules ask for, and its values."""
    present = [value for value in values if value is not None and value is not ABSENT]
    has_none = any(value is None for value in values)
    has_absent = any(value is ABSENT for value in values)
    if not present:
        return ("float" if has_absent and not has_none else "object" if values else "float"), []
    if all(type(value) is float for value in present):
        return "float", present
    if all(is_number(value) for value in present):
        integers = [value for value in present if isinstance(value, int | np.integer)]
        exact = all(abs(int(value)) <= 2**53 for value in integers)
        if len(integers) < len(present):
            return ("float" if exact else "object"), present
        if has_none or (has_absent and not exact):
            return "object", present
        return ("float" if has_absent else "int"), present
    if all(isinstance(value, bool | np.bool_) for value in present):
        return ("object" if has_none or has_absent else "bool"), present
    if all(isinstance(value, str) for value in present):
        cut = any(value.endswith("\0") for value in present)
        return ("object" if cut or has_none or has_absent else "text"), present
    return "any", present


KINDS = {"float": "f", "int": "iu", "bool": "b", "text": "U", "object": "O"}


@settings(max_examples=250)
@given(gappy_columns())
@example([1, 2.5, None])
@example([2**53 + 1, 2.5])
@example([1, ABSENT])
@example([1, None])
@example([True, 1])
@example([np.int8(-128), 0.5])
def test_an_array_follows_the_documented_rules(values: list[Any]) -> None:
    kind, present = expected_array(values)
    array = Column.of(values).to_numpy()
    assert len(array) == len(values)
    if kind == "any":
        return
    integral = all(isinstance(value, int | np.integer) for value in present)
    small = all(-(2**63) <= int(value) < 2**63 for value in present) if integral else True
    if kind == "int" and not small:
        assert array.dtype.kind in "uO"
    else:
        assert array.dtype.kind in KINDS[kind]
    for value, item in zip(values, array.tolist(), strict=True):
        assert_item(kind, value, item)


def assert_item(kind: str, value: Any, item: Any) -> None:
    if value is None or value is ABSENT:
        assert item is None if kind == "object" else math.isnan(item)
    elif is_number(value) and math.isnan(value):
        assert math.isnan(item)
    else:
        assert item == value
        if isinstance(value, float | np.floating):
            assert math.copysign(1, item) == math.copysign(1, value)


@pytest.mark.parametrize(
    ("values", "dtype", "shape"),
    [
        ([1, 2], "int64", (2,)),
        ([2**63, 2**64 - 1], "uint64", (2,)),
        ([2**64], "object", (1,)),
        ([1, 2.5], "float64", (2,)),
        ([True, False], "bool", (2,)),
        (["a", "bcd"], "<U3", (2,)),
        ([""], "<U1", (1,)),
        ([[1, 2], [3, 4]], "int64", (2, 2)),
        ([[1, 2], [3.5, 4]], "float64", (2, 2)),
        ([[1], [2, 3]], "object", (2,)),
        ([[1, "a"], [2, "b"]], "object", (2,)),
        ([[["a"], ["b"]], [["c"], ["d"]]], "<U1", (2, 2, 1)),
        ([np.zeros((3, 4), "u2")] * 2, "uint16", (2, 3, 4)),
        ([np.zeros((3, 4), ">f8")] * 2, ">f8", (2, 3, 4)),
        ([np.zeros(2, "f4"), np.zeros(2, "i2")], "float32", (2, 2)),
        ([np.zeros(2, "M8[s]")] * 3, "M8[s]", (3, 2)),
        ([np.float32(1), np.float32(2)], "float32", (2,)),
        ([np.datetime64("2024-01-01")] * 2, "M8[D]", (2,)),
        ([1j, 2 + 0j], "complex128", (2,)),
        ([{"a": 1}], "object", (1,)),
        ([b"a", b"bc"], "object", (2,)),
        ([None, None], "object", (2,)),
        ([ABSENT, ABSENT], "float64", (2,)),
        ([[1.5, 2.5], ABSENT], "float64", (2, 2)),
        ([[1.5, 2.5], None], "float64", (2, 2)),
        ([[1, 2], ABSENT], "float64", (2, 2)),
        ([[1, 2], None], "object", (2,)),
        ([np.datetime64("2024-01-01"), None], "M8[D]", (2,)),
        ([1j, None], "complex128", (2,)),
        ([], "float64", (0,)),
    ],
    ids=repr,
)
def test_the_dtype_and_shape_of_an_array(
    values: list[Any], dtype: str, shape: tuple[int, ...]
) -> None:
    array = Column.of(values).to_numpy()
    assert array.dtype == np.dtype(dtype)
    assert array.shape == shape


def test_ragged_lists_are_arrays_in_an_array_of_objects() -> None:
    array = array_of([[1, 2], [3]])
    assert_identical([np.array([1, 2]), np.array([3])], array.tolist())


def test_missing_rows_say_so_in_every_dtype() -> None:
    assert_same_array(np.array([1.5, np.nan, np.nan]), Column.of([1.5, None, ABSENT]).to_numpy())
    assert_same_array(np.array([1.0, np.nan]), Column.of([1, ABSENT]).to_numpy())
    assert_same_array(np.array([1, None], object), Column.of([1, None]).to_numpy())
    assert_same_array(
        np.array(["2024-01-01", "NaT"], "M8[D]"),
        Column.of([np.datetime64("2024-01-01"), None]).to_numpy(),
    )
    assert_same_array(np.array(["a", None], object), Column.of(["a", ABSENT]).to_numpy())
    nested = Column.of([[1.0, 2.0], ABSENT]).to_numpy()
    assert_same_array(np.array([[1, 2], [np.nan, np.nan]]), nested)


# -- tables ----------------------------------------------------------------------------------------


def test_tables_are_concatenated_with_the_union_of_their_columns() -> None:
    x, y = ("data", "x"), ("data", "y")
    one = Table(2, {x: Column.of([1, 2])})
    other = Table(1, {y: Column.of(["a"]), x: Column.of([None])})
    whole = concatenated([one, other])
    assert whole.count == 3
    assert list(whole.columns) == [x, y]
    assert whole.columns[x].to_pylist() == [1, 2, None]
    assert whole.columns[y].to_pylist() == [ABSENT, ABSENT, "a"]
    assert whole.names("data") == ["x", "y"]
