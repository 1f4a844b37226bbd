"""Hypothesis strategies: values, columns of values, whole Runs, and queries."""

import math
from collections.abc import Callable
from datetime import timedelta, timezone
from functools import cache
from itertools import cycle
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from databroker.testing.documents import Run, RunBuilder, bulk, numpy_paged, paged

Values = st.SearchStrategy[Any]


# -- values ----------------------------------------------------------------------------------------


@cache
def texts(max_size: int = 8) -> st.SearchStrategy[str]:
    """Draw strings of any characters, with surrogates and NULs."""
    anything = (
        st.characters() | st.characters(categories=["Cs"]) | st.sampled_from("\0 .$é\U0001f52c")
    )
    return st.text(anything, max_size=max_size)


@cache
def floats() -> st.SearchStrategy[float]:
    """Draw floats, with NaN, infinities and -0.0."""
    return st.floats() | st.sampled_from([math.nan, math.inf, -math.inf, -0.0, 5e-324])


@cache
def integers() -> st.SearchStrategy[int]:
    """Draw integers, also those that no machine word holds."""
    return st.integers(-10, 10) | st.integers(-(2**80), 2**80)


@cache
def timezones() -> st.SearchStrategy[timezone | None]:
    """Draw None and fixed offsets of whole minutes."""
    minutes = st.integers(-23 * 60, 23 * 60)
    return st.none() | minutes.map(lambda offset: timezone(timedelta(minutes=offset)))


@cache
def exact_scalars() -> Values:
    """Draw what is no JSON but kept exactly: bytes, datetime, Decimal, UUID, complex."""
    return (
        st.binary(max_size=8)
        | st.datetimes(timezones=timezones())
        | st.decimals()
        | st.uuids()
        | st.complex_numbers()
    )


@cache
def json_scalars() -> Values:
    """Draw None, booleans, numbers and strings."""
    return st.none() | st.booleans() | integers() | floats() | texts()


@cache
def dtypes() -> st.SearchStrategy[np.dtype[Any]]:
    """Draw every kind of dtype, of either byte order, and records of them."""
    return _plain_dtypes() | arrays_of.array_dtypes(_plain_dtypes(), max_size=3)


@cache
def _plain_dtypes() -> st.SearchStrategy[np.dtype[Any]]:
    return st.one_of(
        arrays_of.boolean_dtypes(),
        arrays_of.integer_dtypes(endianness="?"),
        arrays_of.unsigned_integer_dtypes(endianness="?"),
        arrays_of.floating_dtypes(endianness="?", sizes=(16, 32, 64)),
        arrays_of.complex_number_dtypes(endianness="?", sizes=(64, 128)),
        arrays_of.datetime64_dtypes(endianness="?"),
        arrays_of.timedelta64_dtypes(endianness="?"),
        arrays_of.unicode_string_dtypes(endianness="?", max_len=4),
        arrays_of.byte_string_dtypes(endianness="?", max_len=4),
    )


@cache
def arrays() -> st.SearchStrategy[np.ndarray]:
    """Draw arrays of every dtype, also of zero dimensions and of zero size."""
    shapes = arrays_of.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
    return arrays_of.arrays(dtypes(), shapes)


@cache
def numpy_scalars() -> Values:
    """Draw scalars of every dtype, records among them."""
    return dtypes().flatmap(lambda dtype: arrays_of.arrays(dtype, (1,))).map(lambda one: one[0])


@cache
def values(max_leaves: int = 6) -> Values:
    """Draw whatever may stand in a document: JSON, what JSON cannot say, numpy, and nested.

    Examples
    --------
    >>> from hypothesis import given
    >>> @given(values())
    ... def test_a_value_survives(value): ...
    """
    leaves = json_scalars() | exact_scalars() | numpy_scalars() | arrays()
    return st.recursive(leaves, _containers, max_leaves=max_leaves)


@cache
def json_values(max_leaves: int = 6) -> Values:
    """Draw nested lists and dicts of what JSON can say (and NaN, infinities and big integers)."""
    return st.recursive(json_scalars(), _containers, max_leaves=max_leaves)


def _containers(inner: Values) -> Values:
    return st.lists(inner, max_size=4) | st.dictionaries(texts(), inner, max_size=4)


# -- columns ---------------------------------------------------------------------------------------


@cache
def columns(min_size: int = 0, max_size: int = 12) -> st.SearchStrategy[list[Any]]:
    """Draw lists of values that tend to share a type, as the values of a data key do."""
    return (
        st.sampled_from(_KINDS_OF_COLUMNS)
        .flatmap(lambda kind: kind())
        .flatmap(lambda value: st.lists(value, min_size=min_size, max_size=max_size))
    )


@cache
def _of_one_shape() -> st.SearchStrategy[Values]:
    """Draw strategies of nested lists, each of one type and shape."""
    element = st.sampled_from([floats(), integers(), st.booleans(), texts(3)])
    sides = st.lists(st.integers(0, 3), min_size=1, max_size=3)
    return st.builds(_nested_lists, element, sides)


def _nested_lists(element: Values, sides: list[int]) -> Values:
    for side in reversed(sides):
        element = st.lists(element, min_size=side, max_size=side)
    return element


@cache
def _arrays_of_one_shape() -> st.SearchStrategy[Values]:
    shapes = arrays_of.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=3)
    return st.builds(arrays_of.arrays, dtypes(), shapes)


@cache
def _arrays_of_one_dtype() -> st.SearchStrategy[Values]:
    shapes = arrays_of.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=3)
    return dtypes().map(lambda dtype: arrays_of.arrays(dtype, shapes))


@cache
def _scalars_of_one_dtype() -> st.SearchStrategy[Values]:
    return dtypes().map(lambda dtype: arrays_of.arrays(dtype, (1,)).map(lambda one: one[0]))


def _always(value: Callable[[], Values]) -> Callable[[], st.SearchStrategy[Values]]:
    return lambda: st.just(value())


_KINDS_OF_COLUMNS: tuple[Callable[[], st.SearchStrategy[Values]], ...] = (
    _always(floats),
    _always(lambda: st.integers(-(2**63), 2**63 - 1)),
    _always(integers),
    _always(st.booleans),
    _always(texts),
    _always(lambda: st.integers(-5, 5) | floats()),
    _always(lambda: st.none() | floats()),
    _always(lambda: st.none() | st.integers(-5, 5)),
    _always(lambda: st.none() | texts()),
    _always(lambda: st.booleans() | st.integers(0, 1) | st.sampled_from([0.0, 1.0, -0.0])),
    _always(lambda: st.lists(floats(), max_size=4)),
    _always(exact_scalars),
    _always(json_values),
    _always(values),
    _of_one_shape,
    _arrays_of_one_shape,
    _arrays_of_one_dtype,
    _scalars_of_one_dtype,
)


# -- Runs ------------------------------------------------------------------------------------------


@cache
def keys() -> st.SearchStrategy[str]:
    """Draw names of data keys: ordinary ones, and strings that are easily damaged."""
    return st.sampled_from(["x", "y", "image", "motor_readback"]) | texts()


@st.composite
def runs(draw: st.DrawFn, max_streams: int = 3, max_events: int = 12) -> Run:
    """Draw whole Runs of several streams and descriptors, in any packing, most of them stopped."""
    metadata = draw(st.dictionaries(st.sampled_from(["sample", "note", "Ä.1"]), values()))
    run = RunBuilder(f"{draw(st.integers(0, 2**64 - 1))}", time=draw(_times()), **metadata)
    streams = [_Stream(run, *draw(_streams())) for _ in range(draw(st.integers(0, max_streams)))]
    if streams:
        for stream in draw(st.lists(st.sampled_from(streams), max_size=max_events)):
            stream.add_event(without=draw(st.none() | keys()))
    if draw(st.integers(0, 3)):
        run.stop()
    return draw(st.sampled_from(_PACKINGS))(run.documents)


@cache
def _times() -> st.SearchStrategy[float]:
    return st.floats(0, 2**33) | st.integers(0, 2**33)


@cache
def _streams() -> st.SearchStrategy[tuple[str | None, dict[str, list[Any]]]]:
    names = st.sampled_from(["primary", "primary", "baseline", "monitor", None])
    return st.tuples(names, st.dictionaries(keys(), columns(min_size=1), max_size=4))


class _Stream:
    """One descriptor, and the values that its Events have in turn."""

    def __init__(self, run: RunBuilder, name: str | None, values: dict[str, list[Any]]) -> None:
        self._run = run
        self._values = {key: cycle(column) for key, column in values.items()}
        self._uid = run.descriptor({key: column[0] for key, column in values.items()}, name)

    def add_event(self, without: str | None) -> None:
        """Add an Event with the next value of each data key but one."""
        data = {key: next(column) for key, column in self._values.items() if key != without}
        self._run.event(self._uid, data)


_PACKINGS: tuple[Callable[[Run], Run], ...] = (
    list,
    lambda run: paged(run, 1),
    lambda run: paged(run, 3),
    lambda run: numpy_paged(run, 4),
    lambda run: numpy_paged(run, 100),
    bulk,
)


# -- queries ---------------------------------------------------------------------------------------


def queries() -> st.SearchStrategy[dict[str, Any]]:
    """Draw Mongo queries that tell `databroker.testing.documents.varied_runs` apart."""
    return st.recursive(_clauses(), _combined, max_leaves=4)


def _clauses() -> st.SearchStrategy[dict[str, Any]]:
    paths = st.sampled_from(_PATHS)
    return st.dictionaries(paths, _wanted() | _tests(), min_size=1, max_size=2) | _texts_sought()


def _texts_sought() -> st.SearchStrategy[dict[str, Any]]:
    searched = st.sampled_from(["iron", "iron oxide", '"iron oxide"', "scan -iron", "ir*", "α"])
    return searched.map(lambda words: {"$text": {"$search": words}})


def _combined(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    several = st.lists(inner, min_size=1, max_size=3)
    logical = st.sampled_from(["$and", "$or", "$nor"])
    return st.builds(lambda operator, nodes: {operator: nodes}, logical, several)


def _tests() -> st.SearchStrategy[dict[str, Any]]:
    """Draw operators that may stand behind a path, one or two at once, also negated."""
    one = st.sampled_from(sorted(_OPERANDS)).flatmap(
        lambda operator: _OPERANDS[operator].map(lambda operand: {operator: operand})
    )
    several = st.builds(lambda left, right: left | right, one, one)
    return several | several.map(lambda tests: {"$not": tests})


def _wanted() -> Values:
    return st.sampled_from(_SOUGHT) | json_scalars()


_PATHS: tuple[str, ...] = (
    "scan_id", "plan_name", "sample", "sample.name", "sample.mass", "motors", "motors.0", "tags",
    "tags.0", "tags.1.0", "tags.x.y", "history", "history.n", "history.0.n", "history.n.1", "when",
    "note", "missing", "missing.deeper", "stop", "descriptors", "time", "sample.$name",
    "stop.exit_status", "stop.reason", "stop.num_events.primary", "stop.missing",
    "descriptors.name", "descriptors.0.name", "descriptors.data_keys.x.dtype", "descriptors.none",
)  # fmt: skip

_SOUGHT = (
    None, True, False, 0, 1, 2, 3, 3.0, -0.0, 2.5, 10, 2**53, 2**53 + 1, 2**63, 2**80, math.nan,
    math.inf, "", "x", "3", "scan", "count", "iron", "Eisen", "a\0b", "\ud800", "α", "success",
    "abort", "baseline", "number", b"scan", [], ["x"], ["x", "y"], [1, 2], {}, {"n": 5},
    {"name": "iron oxide"}, 10**20,
)  # fmt: skip

_OPERANDS: dict[str, Values] = {
    **dict.fromkeys(("$eq", "$ne", "$gt", "$gte", "$lt", "$lte"), st.deferred(_wanted)),
    **dict.fromkeys(("$in", "$nin"), st.lists(st.deferred(_wanted), max_size=3)),
    "$all": st.lists(st.deferred(_wanted), min_size=1, max_size=2),
    "$exists": st.booleans(),
    "$regex": st.sampled_from(["^s", "an$", "(?i)SCAN", "[0-9]", "o.*o", "", "ü|α", "."]),
    "$size": st.integers(0, 3),
    "$type": st.sampled_from(
        ["string", "number", "int", "long", "double", "null", "bool", "array"]
    ),
    "$mod": st.tuples(st.integers(1, 3), st.integers(0, 2)).map(list),
    "$elemMatch": st.sampled_from(
        [{"n": 1}, {"n": {"$gt": 1}}, {"ok": True}, {"$gt": 1}, {"$in": ["x", 2.5]}, {"name": "a"}]
    ),
}
