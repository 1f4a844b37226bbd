"""Rows of documents become tables and bytes, and come back as they were."""

import copy
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from databroker.documents.columns import Column, Table
from databroker.documents.pages import (
    DATUM,
    EVENT,
    ROW_KINDS,
    RowKind,
    StoredPage,
    documents_of,
    dump,
    stored_columns,
    table_of,
    table_of_page,
)
from databroker.errors import CorruptDataError, InvalidDocumentError
from databroker.testing.comparison import assert_identical, unpacked
from databroker.testing.strategies import keys, values

Row = dict[str, Any]


def load(page: StoredPage) -> Table:
    """Return the table that a page was made of, each column from its own bytes."""
    return Table(
        page.count,
        {
            column.key: Column((column.load(page.count, page.bodies[column.place]),))
            for column in stored_columns(page.head)
        },
    )


def load_packed(page: StoredPage) -> Table:
    """Return the table that a page was made of, from all bytes in a row."""
    body = memoryview(b"".join(page.bodies))
    return Table(
        page.count,
        {
            column.key: Column(
                (column.load(page.count, body[column.offset : column.offset + column.size]),)
            )
            for column in stored_columns(page.head)
        },
    )


def kinds() -> st.SearchStrategy[RowKind]:
    return st.sampled_from(list(ROW_KINDS.values()))


@st.composite
def rows(draw: st.DrawFn, kind: RowKind, odd: bool) -> Row:
    """Draw a document with any of its items missing, extra, or odd."""
    group = st.dictionaries(keys(), values(max_leaves=2), max_size=3)
    row: Row = {kind.parent: "parent", kind.uid: draw(st.uuids().map(str))}
    row |= draw(st.dictionaries(st.sampled_from(["time", "seq_num", "extra"]), values(2)))
    for name in kind.groups:
        present = draw(st.sampled_from(["dict", "dict", "missing", "odd"] if odd else ["dict"]))
        if present == "dict":
            row[name] = draw(group)
        elif present == "odd":
            row[name] = draw(st.none() | st.lists(values(1), max_size=2) | st.integers())
    return row


@st.composite
def documents(draw: st.DrawFn) -> tuple[RowKind, list[Row]]:
    kind = draw(kinds())
    odd = draw(st.booleans())
    return kind, draw(st.lists(rows(kind, odd), min_size=1, max_size=6))


# -- documents → table → bytes → table → documents -------------------------------------------------


@settings(max_examples=150)
@given(documents())
def test_documents_come_back_as_they_were(drawn: tuple[RowKind, list[Row]]) -> None:
    kind, rows = drawn
    expected = copy.deepcopy(rows)
    table = table_of(rows, kind)
    assert_identical(expected, documents_of(table, kind, "parent"))
    page = dump(table)
    assert_identical(expected, documents_of(load(page), kind, "parent"))
    assert_identical(expected, documents_of(load_packed(page), kind, "parent"))


EVENTS: dict[str, list[Row]] = {
    "group missing": [{"data": {"x": 1}}, {"data": {"x": 2}, "filled": {"x": True}}],
    "group None": [{"data": None}, {"data": {"x": 2}}],
    "group a list": [{"data": [1, 2]}, {"data": {"x": 2}}, {}],
    "group empty": [{"data": {}}, {"data": {"x": None}}],
    "all groups missing": [{}, {}],
    "all groups odd": [{"data": None, "timestamps": 3, "filled": []}],
    "keys missing": [{"data": {"x": 1}}, {"data": {"y": 1.5}}, {"data": {}}],
    "extra keys": [{"extra": {"a": [1]}}, {"data": {}, "other": None}],
    "group named as an item": [{"data": {"uid": 1, "time": 2, "data": 3}}],
    "odd names": [{"data": {"": 1, "#": 2, "!": 3, "a.b": 4, "\0": 5}, "": 6, "!": 7, "#": 8}],
}


@pytest.mark.parametrize("name", EVENTS)
def test_odd_events_come_back_as_they_were(name: str) -> None:
    rows = [{"descriptor": "d", "uid": f"{n}", **row} for n, row in enumerate(EVENTS[name])]
    table = load(dump(table_of(rows, EVENT)))
    assert_identical(rows, documents_of(table, EVENT, "d"))


def test_documents_of_a_table_share_nothing() -> None:
    rows = [{"descriptor": "d", "uid": f"{n}", "data": {"x": [n]}} for n in range(3)]
    table = table_of(rows, EVENT)
    documents_of(table, EVENT, "d")[0]["data"]["x"].append("changed")
    assert_identical(rows, documents_of(table, EVENT, "d"))


# -- pages -----------------------------------------------------------------------------------------


def page_of(**items: Any) -> Row:
    page = {
        "descriptor": "d",
        "uid": ["a", "b", "c"],
        "time": [1.0, 2.0, 3.0],
        "seq_num": [1, 2, 3],
        "data": {"x": [1, None, 2.5]},
        "timestamps": {"x": [0.5, 1.5, 2.5]},
        "filled": {},
    }
    return page | items


def assert_page_unpacked(name: str, page: Row, kind: RowKind) -> None:
    expected = [document for _, document in unpacked([(name, copy.deepcopy(page))])]
    table = load(dump(table_of_page(page, kind)))
    assert_identical(expected, documents_of(table, kind, page[kind.parent]))


@pytest.mark.parametrize(
    "page",
    [
        page_of(),
        page_of(data={}),
        page_of(uid=["a"], time=[0], seq_num=[1], data={"x": [1]}, timestamps={"x": [1]}),
        page_of(uid=[], time=[], seq_num=[], data={"x": []}, timestamps={"x": []}),
        page_of(time=(1.0, 2.0, 3.0), data={"x": (1, 2, 3), "y": [[1], [2, 3], []]}),
        page_of(filled={"x": [True, "datum/1", False]}),
        page_of(extra=["p", "q", "r"]),
        {name: value for name, value in page_of().items() if name != "filled"},
    ],
    ids=range(8),
)
def test_a_page_of_lists_is_its_rows(page: Row) -> None:
    assert_page_unpacked("event_page", page, EVENT)


@pytest.mark.parametrize(
    "column",
    [
        np.array([1, 2, 3], "<i4"),
        np.array([1, 2, 3], ">u2"),
        np.array([1.5, np.nan, -0.0]),
        np.array([1.5, 2.5, 3.5], "f4"),
        np.array([True, False, True]),
        np.array(["a", "bc", ""]),
        np.array([b"a", b"bc", b""]),
        np.array([1j, 2, 3]),
        np.array(["2024-01-01", "NaT", "2024-01-02"], "M8[D]"),
        np.arange(12).reshape(3, 2, 2),
        np.zeros((3, 0)),
        np.array([[1, 2], None, "x"], dtype=object),
    ],
    ids=lambda column: str(column.dtype),
)
def test_a_page_of_arrays_is_its_rows(column: np.ndarray) -> None:
    page = page_of(
        uid=np.array(["a", "b", "c"]),
        time=np.array([1.0, 2.0, 3.0]),
        seq_num=np.arange(3),
        data={"x": column},
        timestamps={"x": np.arange(3.0)},
    )
    assert_page_unpacked("event_page", page, EVENT)


def test_a_page_of_datums_is_its_rows() -> None:
    page = {
        "resource": "r",
        "datum_id": ["r/0", "r/1"],
        "datum_kwargs": {"frame": [0, 1], "slice": [[0, 1], None]},
    }
    assert_page_unpacked("datum_page", page, DATUM)


@pytest.mark.parametrize(
    ("items", "named"),
    [
        ({"time": [1.0]}, "'time'"),
        ({"seq_num": np.arange(4)}, "'seq_num'"),
        ({"data": {"x": [1, 2]}}, "data.x"),
        ({"timestamps": {"x": []}}, "timestamps.x"),
        ({"filled": {"x": [True] * 4}}, "filled.x"),
    ],
)
def test_columns_that_are_not_equally_long_are_refused(items: Row, named: str) -> None:
    with pytest.raises(InvalidDocumentError, match=f"3 rows.*{named}"):
        table_of_page(page_of(**items), EVENT)


@pytest.mark.parametrize("uids", [None, "abc", 3, {"a": 1}])
def test_a_page_without_a_list_of_uids_is_refused(uids: Any) -> None:
    with pytest.raises(InvalidDocumentError, match="needs a list of uids"):
        table_of_page(page_of(uid=uids), EVENT)


# -- damage ----------------------------------------------------------------------------------------

DAMAGED = [
    {
        "descriptor": "d",
        "uid": "12345678-1234-5678-1234-567812345678",
        "time": 1.5,
        "seq_num": 1,
        "data": {"x": 1, "label": "open", "list": [1, 2], "mixed": 1.5, "odd": {"a": 1}},
    },
    {
        "descriptor": "d",
        "uid": "12345678-1234-5678-1234-567812345679",
        "time": 2.5,
        "seq_num": 2,
        "data": {"x": None, "label": "open", "array": np.arange(2), "mixed": 2, "odd": "é"},
    },
]


def flipped(data: bytes, place: int, bit: int) -> bytes:
    damaged = bytearray(data)
    damaged[place] ^= bit
    return bytes(damaged)


@pytest.mark.parametrize("bit", [1, 0x80, 0xFF])
def test_a_flipped_byte_never_gives_other_values(bit: int) -> None:
    page = dump(table_of(DAMAGED, EVENT))
    noticed = 0
    for place in range(len(page.head)):
        noticed += assert_damage(
            StoredPage(page.count, flipped(page.head, place, bit), page.bodies)
        )
    for number, body in enumerate(page.bodies):
        for place in range(len(body)):
            bodies = list(page.bodies)
            bodies[number] = flipped(bytes(body), place, bit)
            noticed += assert_damage(StoredPage(page.count, page.head, tuple(bodies)))
    assert noticed == len(page.head) + sum(map(len, page.bodies))


def assert_damage(page: StoredPage) -> bool:
    """Return whether the damage was noticed; fail if it gives other values."""
    try:
        table = load(page)
        found = documents_of(table, EVENT, "d")
    except CorruptDataError:
        return True
    assert_identical(DAMAGED, found)
    return False


@pytest.mark.parametrize("cut", [0, 1, 3, 4, 10, -1])
def test_a_head_that_is_cut_short_is_corrupt(cut: int) -> None:
    page = dump(table_of(DAMAGED, EVENT))
    with pytest.raises(CorruptDataError):
        load(StoredPage(page.count, page.head[:cut], page.bodies))


def test_bytes_of_another_column_are_corrupt() -> None:
    page = dump(table_of(DAMAGED, EVENT))
    with pytest.raises(CorruptDataError, match="damaged"):
        load(StoredPage(page.count, page.head, page.bodies[::-1]))
