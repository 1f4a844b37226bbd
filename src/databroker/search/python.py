"""Nodes → an answer for one Run, from its documents."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Protocol, TypeAlias

from databroker.search.nodes import (
    And,
    Compare,
    Comparison,
    ElemMatch,
    ElemTest,
    Eq,
    Exists,
    In,
    Mod,
    Node,
    Not,
    Or,
    Regex,
    Size,
    Text,
    Type,
    UidPrefix,
    reach,
)
from databroker.search.text import says
from databroker.search.values import equal, is_nan, kind, order, plain, type_name

Keys: TypeAlias = tuple[str, ...]

_MISSING: Final = object()


class _Documents(Protocol):
    """What a node is asked about: a Run, or one element of a list."""

    @property
    def start(self) -> Mapping[str, Any]: ...

    def at(self, path: str) -> tuple[Any, Keys]: ...


@dataclass(frozen=True, slots=True)
class RunDocuments:
    """The documents of a Run that a query can reach.

    Parameters
    ----------
    start
        The Run Start.
    stop
        The Run Stop; None where there is none, or where the query does not reach it.
    descriptors
        The Event Descriptors; empty where the query does not reach them.
    """

    start: Mapping[str, Any]
    stop: Mapping[str, Any] | None = None
    descriptors: Sequence[Mapping[str, Any]] = ()

    def at(self, path: str) -> tuple[Any, Keys]:
        """Return where a path begins, and the keys to follow from there."""
        scope, keys = reach(path)
        match scope:
            case "start":
                return self.start, keys
            case "stop":
                return self.stop or {}, keys
            case "descriptors":
                return list(self.descriptors), keys


@dataclass(frozen=True, slots=True)
class _Element:
    """One element of a list, which is a document of its own."""

    start: Mapping[str, Any]

    def at(self, path: str) -> tuple[Any, Keys]:
        return self.start, tuple(path.split("."))


def matches(node: Node, documents: RunDocuments) -> bool:
    """Say whether the node holds for a Run.

    Examples
    --------
    >>> matches(Eq("motors", "x"), RunDocuments({"uid": "a", "motors": ("x", "y")}))
    True
    """
    return _matches(node, documents)


def _matches(node: Node, documents: _Documents) -> bool:
    match node:
        case And(nodes):
            return all(_matches(inner, documents) for inner in nodes)
        case Or(nodes):
            return any(_matches(inner, documents) for inner in nodes)
        case Not(inner):
            return not _matches(inner, documents)
        case Text():
            return says(documents.start, node)
        case UidPrefix(prefix):
            return str(documents.start.get("uid", "")).startswith(prefix)
        case Size() | ElemMatch() | ElemTest():
            return any(_holds(node, value) for value in _follow(*documents.at(node.path)))
        case _:
            found = _follow(*documents.at(node.path), open_lists=True)
            return any(_holds(node, value) for value in found)


def _follow(value: Any, keys: Keys, *, open_lists: bool = False) -> Iterator[Any]:
    """Yield the values that the keys lead to; lists on the way stand for their documents."""
    value = plain(value)
    for position, key in enumerate(keys):
        if isinstance(value, list):
            yield from _follow_elements(value, keys[position:], open_lists=open_lists)
            return
        value = plain(value.get(key, _MISSING)) if isinstance(value, Mapping) else _MISSING
    if open_lists and isinstance(value, list):
        yield from map(plain, value)
    yield value


def _follow_elements(items: list[Any], keys: Keys, *, open_lists: bool) -> Iterator[Any]:
    for index, item in enumerate(map(plain, items)):
        if isinstance(item, Mapping):
            yield from _follow(item, keys, open_lists=open_lists)
        if keys[0] == str(index):
            yield from _follow_element(item, keys[1:], open_lists=open_lists)


def _follow_element(item: Any, keys: Keys, *, open_lists: bool) -> Iterator[Any]:
    if not keys:
        yield item  # not opened: MongoDB takes a list that was asked for by index as it is
    elif isinstance(item, Mapping | list):
        yield from _follow(item, keys, open_lists=open_lists)


def _holds(node: Node, value: Any) -> bool:
    """Say whether the node holds for one value, as it is; a list is not opened."""
    match node:
        case And(nodes):
            return all(_holds(inner, value) for inner in nodes)
        case Or(nodes):
            return any(_holds(inner, value) for inner in nodes)
        case Not(inner):
            return not _holds(inner, value)
        case Eq(value=wanted):
            return _is(value, wanted)
        case In(values=wanted):
            return any(_is(value, one) for one in wanted)
        case Compare(comparison=comparison, value=wanted):
            return _compares(value, comparison, wanted)
        case Exists():
            return value is not _MISSING
        case Regex(pattern=pattern, flags=flags):
            return isinstance(value, str) and re.search(pattern, value, flags) is not None
        case Type(names=names):
            return type_name(value) in names
        case Mod(divisor=divisor, remainder=remainder):
            return _remainder(value, divisor) == remainder
        case Size(length=length):
            return isinstance(value, list) and len(value) == length
        case ElemMatch(node=inner):
            return any(_matches(inner, element) for element in _elements(value))
        case ElemTest(node=inner):
            return isinstance(value, list) and any(
                _holds(inner, item) for item in map(plain, value)
            )
        case Text() | UidPrefix():
            return False  # they are about a Run, not about a value in it


def _is(value: Any, wanted: Any) -> bool:
    if value is _MISSING:
        return wanted is None
    return equal(value, wanted)


def _compares(value: Any, comparison: Comparison, wanted: Any) -> bool:
    if _is(value, wanted):
        return comparison in {Comparison.GTE, Comparison.LTE}
    if value is _MISSING or kind(value) is not kind(wanted) or _has_nan(value, wanted):
        return False
    difference = order(value, wanted)
    match comparison:
        case Comparison.GT | Comparison.GTE:
            return difference > 0
        case Comparison.LT | Comparison.LTE:
            return difference < 0


def _has_nan(*values: Any) -> bool:
    """Say whether one is NaN: by itself it is neither above nor below a number."""
    return any(isinstance(value, float | Decimal) and is_nan(value) for value in values)


def _remainder(value: Any, divisor: int) -> int | None:
    """Return the remainder of the whole part, with the sign of the value, as in C."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    try:
        whole = int(value)
    except (ValueError, OverflowError):  # NaN and the infinities have no remainder
        return None
    rest = abs(whole) % abs(divisor)
    return -rest if whole < 0 else rest


def _elements(value: Any) -> Iterator[_Element]:
    """Yield the documents of a list; a list in it is the document of its indices, as in BSON."""
    for item in map(plain, value if isinstance(value, list) else ()):
        if isinstance(item, Mapping):
            yield _Element(item)
        elif isinstance(item, list):
            yield _Element({str(index): inner for index, inner in enumerate(item)})
