from decimal import Decimal

import numpy
from hypothesis import example, given
from hypothesis import strategies as st

from databroker.search.index import (
    MAX_ENTRIES,
    MAX_STRING,
    Tag,
    encode,
    encode_length,
    entries,
    is_cut,
    run_time,
)
from databroker.search.values import Kind, is_nan, kind, order

NUMBERS = (
    st.integers()
    | st.floats()
    | st.decimals(allow_nan=False)
    | st.sampled_from([2**53, 2**53 + 1, -(2**53) - 1, float(2**53), 10**400, -(10**400), 0.1])
    | st.sampled_from([Decimal("0.1"), 0, -0.0, float("inf"), float("-inf"), Decimal("1e999")])
)
STRINGS = st.text(st.characters(exclude_categories=())) | st.builds(
    lambda head, tail: head + tail,
    st.sampled_from(["x" * (MAX_STRING - 1), "x" * MAX_STRING, "é" * (MAX_STRING // 2)]),
    st.text("xyé\U0001f600", max_size=3),
)
SCALARS = st.none() | st.booleans() | NUMBERS | STRINGS


@given(SCALARS, SCALARS)
@example(0, -0.0)
@example("x" * MAX_STRING, "x" * (MAX_STRING + 1))
@example(2**53, 2**53 + 1)
def test_encoded_values_sort_as_the_values_do(left, right):
    one, other = encode(left), encode(right)
    assert one is not None
    assert other is not None
    if kind(left) is not kind(right):
        assert one[0] != other[0]
        return
    expected = order(left, right)
    if one == other:
        assert expected == 0 or (is_cut(one) and is_cut(other))
    elif not (kind(left) is Kind.NUMBER and (is_nan(left) or is_nan(right))):
        assert (one < other) == (expected < 0)


def test_what_is_cut_says_so():
    assert not is_cut(encode("x" * MAX_STRING))
    assert is_cut(encode("x" * (MAX_STRING + 1)))
    assert len(encode("é" * 1000)) <= MAX_STRING + 2
    assert not is_cut(encode(2**53))
    assert is_cut(encode(2**53 + 1))
    assert is_cut(encode(Decimal("0.1")))
    assert not is_cut(encode(None))


def test_values_without_an_order_have_no_encoding():
    assert [encode(value) for value in (b"x", [1], {}, 1j)] == [None] * 4


def test_rows_are_paths_and_values():
    found = entries(
        {
            "uid": "a",
            "sample": {"name": "Fe", "spots": [{"x": 1}, {"x": 2}, 7]},
            "shape": (3, 4),
            "deep": [[{"y": 1}, 5]],
            "0": {"z": 1},
            "a.b": 1,
            "raw": b"",
            "count": numpy.int64(3),
            "descriptors": {"name": "x"},
            "stop": [{"reason": "x"}, 5],
        },
        {"exit_status": "success"},
    )

    assert found.complete
    assert found.rows == {
        ("uid", encode("a")),
        ("sample", Tag.DOCUMENT.byte),
        ("sample.name", encode("Fe")),
        ("sample.spots", encode_length(3)),
        ("sample.spots", Tag.DOCUMENT.byte),
        ("sample.spots", encode(7)),
        ("sample.spots.x", encode(1)),
        ("sample.spots.x", encode(2)),
        ("shape", encode_length(2)),
        ("shape", encode(3)),
        ("shape", encode(4)),
        ("deep", encode_length(1)),
        ("deep.y", Tag.BURIED.byte),
        ("", Tag.BURIED.byte),
        ("z", Tag.BURIED.byte),
        ("raw", Tag.OTHER.byte),
        ("count", encode(3)),
        ("descriptors", Tag.DOCUMENT.byte),
        ("stop", encode_length(2)),
        ("stop", Tag.DOCUMENT.byte),
        ("stop", encode(5)),
        ("stop.exit_status", encode("success")),
    }


def test_paths_are_text_that_every_database_takes():
    found = entries({"\ud800": {"a": 1}, "b": {"\0": 2}, "c": {5: 1}})

    assert {path for path, _ in found.rows} == {"", "a", "b", "c"}


def test_a_run_with_too_many_values_is_incomplete():
    exactly = entries({"a": list(range(MAX_ENTRIES - 1))})
    too_many = entries({"a": list(range(MAX_ENTRIES))})

    assert exactly.complete
    assert len(exactly.rows) == MAX_ENTRIES
    assert not too_many.complete
    assert len(too_many.rows) == MAX_ENTRIES


def test_a_deeply_nested_document_is_indexed():
    document: dict = {}
    for _ in range(3000):
        document = {"a": document}

    assert not entries(document).complete


def test_the_time_of_a_run_is_a_number_or_nothing():
    assert run_time({"time": 5}) == 5.0
    assert run_time({"time": numpy.float64(5.5)}) == 5.5
    odd = (True, "5", None, float("nan"), [5], 10**400)
    assert [run_time({"time": time}) for time in odd] == [None] * len(odd)
    assert run_time({}) is None
    assert entries({}).complete
    assert not entries({"time": [5]}).complete
