"""How values compare: types first, as in MongoDB, then within a type.

A number is never greater than a string, and ``True`` is not ``1``. Deliberate differences from
MongoDB: documents are equal whatever the order of their keys, and tuples, numpy arrays and numpy
scalars count as the lists and plain values that they hold.
"""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum, IntEnum
from numbers import Real
from typing import Any, Final, TypeAlias

Document: TypeAlias = Mapping[str, Any]
Number: TypeAlias = int | float | Decimal


class Kind(IntEnum):
    """The types that compare with each other, in MongoDB's order."""

    NULL = 1
    NUMBER = 2
    STRING = 3
    DOCUMENT = 4
    LIST = 5
    BYTES = 6
    BOOL = 7
    DATE = 8
    OTHER = 9


_KINDS: Final[dict[type, Kind]] = {
    type(None): Kind.NULL,
    bool: Kind.BOOL,
    int: Kind.NUMBER,
    float: Kind.NUMBER,
    Decimal: Kind.NUMBER,
    str: Kind.STRING,
    dict: Kind.DOCUMENT,
    list: Kind.LIST,
    bytes: Kind.BYTES,
    datetime: Kind.DATE,
}


def plain(value: Any) -> Any:
    """Return what a value counts as; what it contains is left alone.

    Examples
    --------
    >>> plain((1, 2))
    [1, 2]
    """
    if type(value) in _KINDS:
        return value
    match value:
        case Enum():
            return plain(value.value)
        case Mapping() | datetime():
            return value
        case tuple() | list():
            return list(value)
        case str():
            return str.__str__(value)
        case bytes() | bytearray() | memoryview():
            return bytes(value)
        case _ if hasattr(value, "dtype") and hasattr(value, "tolist"):
            return _plain_of_numpy(value)
        case int():
            return int(value)
        case float():
            return float(value)
        case _:
            return value


def _plain_of_numpy(value: Any) -> Any:
    held = value.tolist()
    if type(held) is not type(value):
        return plain(held)
    # numpy's long double holds no Python number.
    return float(held) if isinstance(held, Real) else held


def kind(value: Any) -> Kind:
    """Return the type of a plain value, as far as comparing goes."""
    found = _KINDS.get(type(value))
    if found is not None:
        return found
    match value:
        case Mapping():
            return Kind.DOCUMENT
        case datetime():
            return Kind.DATE
        case _:
            return Kind.OTHER


def is_nan(value: Number) -> bool:
    """Say whether a number is none."""
    match value:
        case float():
            return math.isnan(value)
        case Decimal():
            return value.is_nan()
        case _:
            return False


def order(left: Any, right: Any) -> int:
    """Return a negative number, zero or a positive one for less, equal and greater.

    All values have an order: first by type, then by value. NaN equals NaN and is the least number.

    Examples
    --------
    >>> order(1, 1.0), order(2, 1) > 0, order(10, "1") < 0, order(True, 1) == 0
    (0, True, True, False)
    """
    left, right = plain(left), plain(right)
    group, other = kind(left), kind(right)
    if group is not other:
        return group - other
    match group:
        case Kind.NULL:
            return 0
        case Kind.NUMBER:
            return _order_of_numbers(left, right)
        case Kind.DOCUMENT:
            return _order_of_lists(_items(left), _items(right))
        case Kind.LIST:
            return _order_of_lists(left, right)
        case Kind.DATE:
            return _sign(_aware(left), _aware(right))
        case Kind.OTHER:
            return _sign(_described(left), _described(right))
        case _:
            return _sign(left, right)


def equal(left: Any, right: Any) -> bool:
    """Say whether two values are the same to a query."""
    return order(left, right) == 0


def _sign(left: Any, right: Any) -> int:
    return (left > right) - (left < right)


def _order_of_numbers(left: Number, right: Number) -> int:
    if is_nan(left) or is_nan(right):
        return is_nan(right) - is_nan(left)
    return _sign(left, right)


def _order_of_lists(left: list[Any], right: list[Any]) -> int:
    for one, other in zip(left, right, strict=False):
        if difference := order(one, other):
            return difference
    return len(left) - len(right)


def _items(document: Document) -> list[Any]:
    return [[str(key), document[key]] for key in sorted(document, key=str)]


def _aware(time: datetime) -> datetime:
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _described(value: Any) -> tuple[str, str]:
    return type(value).__qualname__, repr(value)


_LONGEST_INT: Final = 2**31

_TYPE_NAMES: Final = {
    Kind.NULL: "null",
    Kind.STRING: "string",
    Kind.DOCUMENT: "object",
    Kind.LIST: "array",
    Kind.BYTES: "binData",
    Kind.BOOL: "bool",
    Kind.DATE: "date",
}


def type_name(value: Any) -> str | None:
    """Return the name that MongoDB gives to the type of a plain value; None if it has none.

    Examples
    --------
    >>> type_name(5), type_name(2**40), type_name(5.0), type_name([])
    ('int', 'long', 'double', 'array')
    """
    match value:
        case bool():
            return "bool"
        case int():
            return "int" if -_LONGEST_INT <= value < _LONGEST_INT else "long"
        case float():
            return "double"
        case Decimal():
            return "decimal"
        case _:
            return _TYPE_NAMES.get(kind(value))
