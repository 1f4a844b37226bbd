"""Nodes → a condition over the tables of a search index."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    FromClause,
    and_,
    false,
    literal_column,
    not_,
    or_,
    select,
    true,
)

from databroker.search.index import Tag, encode, encode_length, is_cut, is_indexed_key
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
    Predicate,
    Regex,
    Size,
    Text,
    UidPrefix,
    reach,
)
from databroker.search.values import Kind, kind, plain

MAX_VALUES: Final = 500
"""More values than this are narrowed down to their range: a statement has few thousand places."""

_LAST_CHARACTER: Final = "\U0010ffff"
_LARGEST_EXACT: Final = 2**53  # below, no two numbers share a float


@dataclass(frozen=True, slots=True)
class SearchTables:
    """The tables of a search index, as a store has them.

    Parameters
    ----------
    run
        Columns *id* (integer), *uid* (text, compared by bytes), *time* (a real number, as
        `databroker.search.index.run_time` gives it, else NULL) and *indexed* (integer: 1 where
        the rows are complete, else 0).
    path
        Columns *id* (integer) and *path* (text).
    value
        Columns *path* (integer), *value* (bytes) and *run* (integer): the rows of
        `databroker.search.index.entries`.
    """

    run: FromClause
    path: FromClause
    value: FromClause


@dataclass(frozen=True, slots=True)
class Condition:
    """Which Runs may match: never too few.

    Parameters
    ----------
    clause
        To put behind WHERE, over the table *run*.
    exact
        Whether all of them do match, as far as *indexed* is 1. A Run with an incomplete index
        (*indexed* is 0) may always be among them: ask `databroker.search.python.matches`.
    """

    clause: ColumnElement[bool]
    exact: bool


def condition(node: Node, tables: SearchTables) -> Condition:
    """Say a node as a condition of SQL, for SQLite and PostgreSQL alike."""
    part = _Compiler(tables).part(node)
    if not part.needs_rows:
        return Condition(part.clause, part.exact)
    incomplete = tables.run.c.indexed == literal_column("0")  # no parameter: a partial index serves
    return Condition(or_(part.clause, incomplete), part.exact)


@dataclass(frozen=True, slots=True)
class _Part:
    """A piece of the condition, for Runs whose rows are complete."""

    clause: ColumnElement[bool]
    exact: bool = True
    needs_rows: bool = False


_NOTHING: Final = _Part(false())
_UNKNOWN: Final = _Part(true(), exact=False)


@dataclass(frozen=True, slots=True)
class _Range:
    """Encoded values from one up to, but not including, another."""

    low: bytes
    high: bytes
    exact: bool = True


_ANYTHING: Final = _Range(Tag.BURIED.byte, b"\xff")
_VISIBLE: Final = _Range(Tag.BURIED.end, b"\xff")


@dataclass(frozen=True, slots=True)
class _Compiler:
    tables: SearchTables

    def part(self, node: Node) -> _Part:
        match node:
            case And(nodes):
                return _all_of([self.part(inner) for inner in nodes])
            case Or(nodes):
                return _any_of([self.part(inner) for inner in nodes])
            case Not(inner):
                return _negated(self.part(inner))
            case Text():
                return _UNKNOWN
            case UidPrefix(prefix):
                return self.uid_begins(prefix)
            case Compare(path, comparison, value) if _equals_only_itself(value):
                ranged = comparison in {Comparison.GTE, Comparison.LTE}
                return self.part(Eq(path, value)) if ranged else _NOTHING
            case In(path, values) if None in values:
                others = tuple(value for value in values if value is not None)
                return self.part(Or((Eq(path, None), In(path, others))))
            case Eq(value=None):
                return self.null_or_missing(node.path)
            case _:
                return self.by_column(node) or self.by_rows(node)

    # --- columns of the Run

    def by_column(self, node: Predicate) -> _Part | None:
        """Answer from the table of Runs alone, where that is certain."""
        uid, time = self.tables.run.c.uid, self.tables.run.c.time
        match node:
            case Eq("uid", str() as text) if _is_plain_text(text):
                return _Part(uid == text)
            case In("uid", values) if len(values) <= MAX_VALUES and all(
                map(_is_plain_text, values)
            ):
                return _Part(uid.in_(values))
            case Eq("time", number) if _is_exact_number(number):
                return _Part(and_(time.is_not(None), time == number), needs_rows=True)
            case Compare("time", comparison, number) if _is_exact_number(number):
                # NULL is neither true nor false, so NOT could not find it.
                related = _related(time, comparison, number)
                return _Part(and_(time.is_not(None), related), needs_rows=True)
            case _:
                return None

    def uid_begins(self, prefix: str) -> _Part:
        if _is_plain_text(prefix):
            uid = self.tables.run.c.uid
            return _Part(and_(uid >= prefix, uid < prefix + _LAST_CHARACTER))
        return self.in_range("uid", _whole(Tag.STRING))

    # --- rows of the index

    def by_rows(self, node: Predicate) -> _Part:
        scope, keys = reach(node.path)
        known = tuple(filter(is_indexed_key, keys))
        if scope == "descriptors" or not known:
            return _UNKNOWN
        path = ".".join(known if scope == "start" else (scope, *known))
        if known != keys:
            return _inexact(self.in_range(path, _ANYTHING))
        match node:
            case Eq(value=value):
                return self.one_of(path, (value,))
            case In(values=values):
                return self.one_of(path, values)
            case Size(length=length):
                return self.equals(path, (encode_length(length),))
            case _:
                return self.in_range(path, _range_of(node))

    def null_or_missing(self, path: str) -> _Part:
        scope, keys = reach(path)
        if scope == "descriptors" or len(keys) != 1 or not is_indexed_key(keys[0]):
            # Behind lists, one document may have the path and another not.
            return _UNKNOWN
        present = self.in_range(path, _VISIBLE)
        return _any_of([self.equals(path, (Tag.NULL.byte,)), _negated(present)])

    def one_of(self, path: str, values: Iterable[Any]) -> _Part:
        encoded = [encode(value) for value in values]
        certain = sorted({one for one in encoded if one is not None and not is_cut(one)})
        cut = {one for one in encoded if one is not None and is_cut(one)}
        tags = {_tag(value) for value, one in zip(values, encoded, strict=True) if one is None}
        return _any_of(
            [
                self.equals(path, certain),
                *(_inexact(self.equals(path, (one,))) for one in sorted(cut)),
                *(self.in_range(path, _whole(tag)) for tag in sorted(tags)),
            ]
        )

    def equals(self, path: str, encoded: Sequence[bytes]) -> _Part:
        value = self.tables.value.c.value
        match encoded:
            case []:
                return _NOTHING
            case [one]:
                return self.has_row(path, value == one)
            case _ if len(encoded) > MAX_VALUES:
                return self.in_range(path, _Range(encoded[0], encoded[-1] + b"\0", exact=False))
            case _:
                return self.has_row(path, value.in_(encoded))

    def in_range(self, path: str, wanted: _Range) -> _Part:
        value = self.tables.value.c.value
        part = self.has_row(path, and_(value >= wanted.low, value < wanted.high))
        return part if wanted.exact else _inexact(part)

    def has_row(self, path: str, clause: ColumnElement[bool]) -> _Part:
        names, rows = self.tables.path.c, self.tables.value.c
        number = select(names.id).where(names.path == path).scalar_subquery()
        runs = select(rows.run).where(rows.path == number, clause)
        return _Part(self.tables.run.c.id.in_(runs), needs_rows=True)


def _all_of(parts: Sequence[_Part]) -> _Part:
    if len(parts) > MANY:  # the first ones let through too many, which is allowed
        first = _all_of(parts[:MANY])
        return _Part(first.clause, exact=False, needs_rows=first.needs_rows)
    clause = and_(true(), *(part.clause for part in parts))
    return _joined(clause, parts)


MANY = 200
"""Of how many alternatives on the documents decide: a database nests them, and has a limit."""


def _any_of(parts: Sequence[_Part]) -> _Part:
    if len(parts) > MANY:
        return _UNKNOWN
    clause = or_(false(), *(part.clause for part in parts))
    return _joined(clause, parts)


def _joined(clause: ColumnElement[bool], parts: Sequence[_Part]) -> _Part:
    return _Part(
        clause,
        exact=all(part.exact for part in parts),
        needs_rows=any(part.needs_rows for part in parts),
    )


def _negated(part: _Part) -> _Part:
    """Return the opposite; that of too many Runs may be too few, so it is unknown."""
    return _Part(not_(part.clause), needs_rows=part.needs_rows) if part.exact else _UNKNOWN


def _inexact(part: _Part) -> _Part:
    return _Part(part.clause, exact=False, needs_rows=part.needs_rows)


def _range_of(node: Predicate) -> _Range:
    """Return where the rows of a node lie, be there others among them."""
    match node:
        case Compare(comparison=comparison, value=value):
            return _range_beside(comparison, value)
        case Exists():
            return _VISIBLE
        case Regex():
            return _whole(Tag.STRING)
        case Mod():
            return _whole(Tag.NUMBER)
        case ElemMatch() | ElemTest():
            return _whole(Tag.LIST)
        case _:
            return _Range(_VISIBLE.low, _VISIBLE.high, exact=False)


def _range_beside(comparison: Comparison, value: Any) -> _Range:
    encoded = encode(value)
    if encoded is None:
        return _whole(_tag(value))
    tag, cut = Tag(encoded[0]), is_cut(encoded)
    behind = encoded + b"\0"
    match comparison:
        case Comparison.GT:
            return _Range(encoded if cut else behind, tag.end, exact=not cut)
        case Comparison.GTE:
            return _Range(encoded, tag.end, exact=not cut)
        case Comparison.LT:
            return _Range(tag.byte, behind if cut else encoded, exact=not cut)
        case Comparison.LTE:
            return _Range(tag.byte, behind, exact=not cut)


def _whole(tag: Tag) -> _Range:
    return _Range(tag.byte, tag.end, exact=False)


def _tag(value: Any) -> Tag:
    """Return the tag of a value that has no encoding of its own."""
    match kind(plain(value)):
        case Kind.DOCUMENT:
            return Tag.DOCUMENT
        case Kind.LIST:
            return Tag.LIST
        case _:
            return Tag.OTHER


def _related(
    column: ColumnElement[Any], comparison: Comparison, value: float
) -> ColumnElement[bool]:
    match comparison:
        case Comparison.GT:
            return column > value
        case Comparison.GTE:
            return column >= value
        case Comparison.LT:
            return column < value
        case Comparison.LTE:
            return column <= value


def _equals_only_itself(value: Any) -> bool:
    """Say whether a value is neither above nor below any other: None, and NaN."""
    return encode(value) in {Tag.NULL.byte, Tag.NAN.byte}


def _is_plain_text(value: Any) -> bool:
    """Say whether a store writes this text as it is: some escape what databases refuse."""
    plain_text = isinstance(value, str) and value.isascii() and value.isprintable()
    return plain_text and "\\" not in value


def _is_exact_number(value: Any) -> bool:
    value = plain(value)
    plain_number = isinstance(value, int | float) and not isinstance(value, bool)
    return plain_number and abs(value) < _LARGEST_EXACT
