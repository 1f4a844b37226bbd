"""What `pack` keeps, what it makes plainer, and what it refuses."""

import contextlib
import enum
import math
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from databroker.documents.packing import canonical, pack, unpack
from databroker.errors import CoercionWarning, CorruptDataError, InvalidDocumentError
from databroker.testing.comparison import assert_identical
from databroker.testing.strategies import texts, values


class Color(enum.Enum):
    RED = "red"


class Place(NamedTuple):
    x: float
    y: float


@dataclass
class Sample:
    name: str
    mass: float


class Plain:
    def __repr__(self) -> str:
        return "<plain>"


class Text(str):
    __slots__ = ()


def nested(depth: int) -> Any:
    value: Any = 1.5
    for level in range(depth):
        value = {"down": value} if level % 2 else [value]
    return value


@settings(max_examples=200)
@given(values())
@example((1, (2, [3])))
@example({1: "a", (1, (2, 3)): "b", None: "c", 2.5: "d", b"e": "f"})
@example(np.array([None, "a", [1, 2], [3, 4]], dtype=object))
@example(np.array([[[1], [2]], [[3], [4]]], dtype=object))
@example(np.str_("ends with NUL\0"))
@example(np.bytes_(b"\0"))
@example(datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Berlin")))
@example(timedelta.min)
@example(-(2**63))
@example(2**64)
@example(np.zeros((0, 3), dtype=[("x", "<f8"), ("y", "|u1", (2, 3))]))
def test_a_value_comes_back_as_it_was(value: Any) -> None:
    assert_identical(value, unpack(pack(value)))


@pytest.mark.parametrize("depth", [150, 199, 200, 201, 511, 600])
def test_a_deeply_nested_value_comes_back_as_it_was(depth: int) -> None:
    back = unpack(pack(nested(depth)))
    for level in reversed(range(depth)):
        back = back["down"] if level % 2 else back[0]
    assert_identical(1.5, back)


@pytest.mark.parametrize(
    ("value", "plainer"),
    [
        (Color.RED, "red"),
        (PurePosixPath("/data/x"), "/data/x"),
        (Place(1.0, 2.0), {"x": 1.0, "y": 2.0}),
        (Sample("iron", 0.5), {"name": "iron", "mass": 0.5}),
        ({3, 1, 2}, [1, 2, 3]),
        (frozenset({"a"}), ["a"]),
        (Text("a"), "a"),
        (np.ma.array([1, 2], mask=[False, True]), [1, None]),
        (Plain(), "<plain>"),
        (range(3), "range(0, 3)"),
    ],
)
def test_what_cannot_be_kept_becomes_plainer_with_a_warning(value: Any, plainer: Any) -> None:
    with pytest.warns(CoercionWarning, match=r"^outer\.1\.inner: ") as warned:
        packed = pack({"outer": [0, {"inner": value, "kept": -0.0}]})
    assert_identical({"outer": [0, {"inner": plainer, "kept": -0.0}]}, unpack(packed))
    assert len(warned) == 1


@pytest.mark.parametrize("wrap", [OrderedDict, MappingProxyType])
def test_any_mapping_is_a_dict(wrap: Any) -> None:
    assert_identical({"a": {"b": 1}}, unpack(pack(wrap({"a": wrap({"b": 1})}))))


def test_a_value_that_contains_itself_is_refused() -> None:
    around: list[Any] = [1]
    around.append({"again": around})
    with pytest.raises(InvalidDocumentError, match="contains itself"):
        pack(around)
    with (
        pytest.warns(CoercionWarning, match="^odd: "),
        pytest.raises(InvalidDocumentError, match=r"contains itself, at 'around\.1\.again'"),
    ):
        pack({"odd": Plain(), "around": around})


def test_a_value_that_is_nested_too_deeply_is_refused() -> None:
    with pytest.raises(InvalidDocumentError, match="nested too deeply"):
        pack(nested(100_000))


@given(st.binary(max_size=40))
@example(b"\xc1")
@example(b"")
@example(b"\xc7\x01\x01\x05")
@example(b"\xd4\x7f\x00")
def test_any_bytes_are_a_value_or_corrupt(data: bytes) -> None:
    with contextlib.suppress(CorruptDataError):
        value = unpack(data)
        assert_identical(value, unpack(pack(value)))


@settings(max_examples=60)
@given(values(), st.data())
def test_bytes_that_are_cut_are_corrupt(value: Any, data: st.DataObject) -> None:
    packed = pack([value, "the end"])
    cut = data.draw(st.integers(0, len(packed) - 1))
    with pytest.raises(CorruptDataError):
        unpack(packed[:cut])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((1, 2), [1, 2]),
        (Color.RED, "red"),
        (np.float64(0.5), 0.5),
        (np.int8(-3), -3),
        (np.True_, True),
        (np.str_("a"), "a"),
        (OrderedDict(b=1, a=2), {"a": 2, "b": 1}),
        ({"a": {"x": 1, "y": (2,)}}, {"a": {"y": [2], "x": np.uint8(1)}}),
        (math.nan, float("nan")),
    ],
)
def test_documents_that_count_as_the_same_have_the_same_canonical_bytes(
    one: Any, other: Any
) -> None:
    assert canonical({"value": one}) == canonical({"value": other})


@pytest.mark.parametrize(
    ("one", "other"),
    [(1, 1.0), (1, True), (0.0, -0.0), ([], {}), (None, "None"), ("1", 1), (b"a", "a"),
     ([1, 2], [2, 1]), (np.array([1]), [1]), (0, None)],
)  # fmt: skip
def test_documents_that_differ_have_other_canonical_bytes(one: Any, other: Any) -> None:
    assert canonical({"value": one}) != canonical({"value": other})


@settings(max_examples=100)
@given(st.dictionaries(texts(), values(max_leaves=3), max_size=4))
def test_canonical_bytes_survive_storing(value: dict[str, Any]) -> None:
    assert canonical(unpack(pack(value))) == canonical(value)
