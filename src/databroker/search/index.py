"""Rows of a search index: the values of a Run Start and Run Stop as bytes that sort.

A row is a path and a value. The value begins with a `Tag`, and what follows sorts, byte by byte,
as the values do: numbers whatever their type, strings by code point. Two things are cut short,
and say so at their end (`is_cut`): a string longer than `MAX_STRING` bytes, and a number that no
float holds. So whether a row is greater or less than a value that is not cut is always certain.

The elements of a list are rows at the path of the list. What lies in a list within a list, or
behind a key that looks like an index, is only recorded to be there (`Tag.BURIED`).
"""

import math
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final, TypeAlias

from databroker.search.values import Kind, Number, is_nan, kind, plain

Row: TypeAlias = tuple[str, bytes]

MAX_STRING: Final = 256
MAX_ENTRIES: Final = 2000


class Tag(IntEnum):
    """The first byte of an encoded value."""

    BURIED = 0x01
    NULL = 0x10
    BOOL = 0x18
    NAN = 0x20
    NUMBER = 0x28
    STRING = 0x30
    DOCUMENT = 0x40
    LIST = 0x48
    OTHER = 0x50

    @property
    def byte(self) -> bytes:
        """The tag itself, which is not greater than any value of this type."""
        return bytes((self,))

    @property
    def end(self) -> bytes:
        """Bytes greater than any value of this type, and less than those of the next."""
        return bytes((self + 1,))


_LONG: Final = b"\xff"  # behind a string that is cut: no byte of UTF-8, and above all of them
_BELOW, _EXACT, _ABOVE = b"\x00", b"\x01", b"\x02"  # the number, seen from the float written

_SIGN: Final = 1 << 63
_ALL_BITS: Final = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class IndexEntries:
    """The rows of one Run.

    Parameters
    ----------
    rows
        Paths and encoded values.
    complete
        Whether these rows decide queries. A Run with more than `MAX_ENTRIES` rows, or with a time
        that is there and no plain number, is looked at itself.
    """

    rows: frozenset[Row]
    complete: bool


def encode(value: Any) -> bytes | None:
    """Return a null, bool, number or string as bytes that sort; None for anything else.

    Examples
    --------
    >>> encode(2) < encode(2.5) < encode(3) < encode("2")
    True
    """
    value = plain(value)
    match kind(value):
        case Kind.NULL:
            return Tag.NULL.byte
        case Kind.BOOL:
            return Tag.BOOL.byte + (b"\x01" if value else b"\x00")
        case Kind.NUMBER:
            return Tag.NAN.byte if is_nan(value) else Tag.NUMBER.byte + _encode_number(value)
        case Kind.STRING:
            return Tag.STRING.byte + _encode_string(value)
        case _:
            return None


def is_cut(encoded: bytes) -> bool:
    """Say whether different values may have this encoding."""
    match encoded[0]:
        case Tag.NUMBER:
            return not encoded.endswith(_EXACT)
        case Tag.STRING:
            return encoded.endswith(_LONG)
        case _:
            return False


def encode_length(length: int) -> bytes:
    """Return the encoding of a list of this length."""
    return Tag.LIST.byte + struct.pack(">Q", length)


def _encode_number(number: Number) -> bytes:
    rounded = _to_float(number) + 0.0  # -0.0 + 0.0 is 0.0
    (bits,) = struct.unpack(">Q", struct.pack(">d", rounded))
    sortable = bits ^ (_ALL_BITS if bits & _SIGN else _SIGN)
    side = _EXACT if number == rounded else _BELOW if number < rounded else _ABOVE
    return struct.pack(">Q", sortable) + side


def _to_float(number: Number) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def _encode_string(text: str) -> bytes:
    # A character has a byte at least: the rest need not be encoded to be cut off.
    encoded = text[: MAX_STRING + 1].encode("utf-8", "surrogatepass")
    return encoded if len(encoded) <= MAX_STRING else encoded[:MAX_STRING] + _LONG


def entries(start: Mapping[str, Any], stop: Mapping[str, Any] | None = None) -> IndexEntries:
    """Return the rows to store for a Run.

    Examples
    --------
    >>> found = entries({"uid": "a", "sample": {"name": "Fe"}}, {"exit_status": "success"})
    >>> sorted(path for path, value in found.rows)
    ['sample', 'sample.name', 'stop.exit_status', 'uid']
    """
    rows: set[Row] = set()
    for row in _rows(start, stop or {}):
        if len(rows) == MAX_ENTRIES and row not in rows:
            return IndexEntries(frozenset(rows), complete=False)
        rows.add(row)
    decided_by_column = "time" not in start or run_time(start) is not None
    return IndexEntries(frozenset(rows), complete=decided_by_column)


def run_time(start: Mapping[str, Any]) -> float | None:
    """Return the time of a Run Start as a column of numbers holds it.

    None if it is missing, NaN, or no int or float, or beyond all floats.
    """
    time = plain(start.get("time"))
    if isinstance(time, bool) or not isinstance(time, int | float) or is_nan(time):
        return None
    try:
        return float(time)
    except OverflowError:
        return None


def is_indexed_key(key: Any) -> bool:
    """Say whether a key is part of the paths in the index.

    One that looks like an index is not, nor one that is no text for a database.
    """
    return not _is_index(key) and "\0" not in key and not _has_surrogates(key)


def _is_index(key: str) -> bool:
    return key.isascii() and key.isdigit()


def _has_surrogates(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the walk through a document is."""

    keys: tuple[str, ...]
    buried: bool = False

    @property
    def path(self) -> str:
        return ".".join(self.keys)

    def below(self, key: str) -> "_Place":
        if is_indexed_key(key):
            return _Place((*self.keys, key), self.buried)
        return _Place(self.keys, buried=True)


_OTHER_SCOPES: Final = {("stop",), ("descriptors",)}


def _rows(start: Mapping[str, Any], stop: Mapping[str, Any]) -> Iterator[Row]:
    waiting = list(_inside(_Place(("stop",)), stop))
    for place, value in _inside(_Place(()), start):
        if place.keys in _OTHER_SCOPES:  # its inner paths reach another document
            yield from _rows_at(place, value)
        else:
            waiting.append((place, value))
    while waiting:
        place, value = waiting.pop()
        yield from _rows_at(place, value)
        waiting.extend(_below(place, value))


def _inside(place: _Place, document: Mapping[str, Any]) -> Iterator[tuple[_Place, Any]]:
    """Yield what paths can reach in a document: a key with a dot is none of it."""
    for key, value in document.items():
        if isinstance(key, str) and "." not in key:
            yield place.below(key), plain(value)


def _below(place: _Place, value: Any) -> Iterator[tuple[_Place, Any]]:
    match value:
        case Mapping():
            yield from _inside(place, value)
        case list():
            for item in map(plain, value):
                if isinstance(item, Mapping):
                    yield from _inside(place, item)
                elif isinstance(item, list):
                    yield from _below(_Place(place.keys, buried=True), item)


def _rows_at(place: _Place, value: Any) -> Iterator[Row]:
    """Yield the rows at one path: the value itself and, of a list, its elements."""
    if place.buried:
        yield place.path, Tag.BURIED.byte
        return
    yield place.path, _encode_any(value)
    if isinstance(value, list):
        for item in map(plain, value):
            if not isinstance(item, list):
                yield place.path, _encode_any(item)


def _encode_any(value: Any) -> bytes:
    match value:
        case Mapping():
            return Tag.DOCUMENT.byte
        case list():
            return encode_length(len(value))
        case _:
            return encode(value) or Tag.OTHER.byte
