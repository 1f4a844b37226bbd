"""Columns of rows: exact Python values on one side, numpy arrays on the other."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

import numpy as np

from databroker.documents.encodings import (
    EXACT_FLOAT,
    MANY_CHARACTERS,
    Bytes,
    Encoding,
    Fixed,
    Progression,
    bits_of,
    encoded,
    encoding_of,
    object_array,
    text_array,
)
from databroker.documents.encodings import concatenated as concatenated_encodings
from databroker.errors import CorruptDataError

Key = tuple[str, str]
"""A column's group and name: ``('data', 'x')``, or ``('', 'time')`` for an item of the document."""


class Absent:
    """The type of `ABSENT`, which stands in a row that lacks a key."""

    _only: "Absent | None" = None

    def __new__(cls) -> "Absent":
        cls._only = cls._only or super().__new__(cls)
        return cls._only

    def __repr__(self) -> str:
        return "ABSENT"

    def __reduce__(self) -> tuple[type["Absent"], tuple[()]]:
        return Absent, ()


ABSENT: Final = Absent()


@dataclass(frozen=True, slots=True)
class Part:
    """One stretch of a column: its values, and which rows are None or absent instead."""

    count: int
    values: Encoding
    none: np.ndarray | None = None
    absent: np.ndarray | None = None

    @classmethod
    def of(cls, values: Sequence[Any]) -> Self:
        """Return the part that holds these values."""
        types = set(map(type, values))
        if types.isdisjoint((type(None), Absent)):
            return cls(len(values), encoded(values))
        none = np.array([value is None for value in values], dtype=bool)
        absent = np.array([value is ABSENT for value in values], dtype=bool)
        present = [value for value in values if value is not None and value is not ABSENT]
        return cls(
            len(values),
            encoded(present),
            none if none.any() else None,
            absent if absent.any() else None,
        )

    @classmethod
    def joined(cls, parts: Sequence["Part"]) -> "Part":
        """Return parts as one, the rows behind each other."""
        if len(parts) == 1:
            return parts[0]
        values = None
        if all(part.none is None and part.absent is None for part in parts):
            values = concatenated_encodings([part.values for part in parts])
        if values is None:
            return cls.of([value for part in parts for value in part.to_pylist()])
        return cls(len(values), values)

    @classmethod
    def all_absent(cls, count: int) -> Self:
        """Return a part of rows that all lack the key."""
        return cls(count, encoded([]), None, np.ones(count, dtype=bool))

    def to_pylist(self) -> list[Any]:
        """Return the value of each row, `ABSENT` where it lacks the key."""
        values = self.values.to_pylist()
        if self.none is None and self.absent is None:
            return values
        rows: list[Any] = [None] * self.count
        if self.absent is not None:
            for row in np.flatnonzero(self.absent).tolist():
                rows[row] = ABSENT
        for row, value in zip(np.flatnonzero(self.present()).tolist(), values, strict=True):
            rows[row] = value
        return rows

    def present(self) -> np.ndarray:
        """Return which rows hold a value."""
        present = np.ones(self.count, dtype=bool)
        for missing in (self.none, self.absent):
            if missing is not None:
                present &= ~missing
        return present

    def rows(self, start: int, stop: int) -> "Part":
        """Return some of the rows."""
        if start == 0 and stop == self.count:
            return self
        if self.none is None and self.absent is None:
            return Part(stop - start, self.values.rows(start, stop))
        return Part.of(self.to_pylist()[start:stop])

    def dump(self) -> tuple[list[Any], Bytes]:
        """Return a head that says how to read the bytes, and the bytes."""
        meta, data = self.values.dump()
        masks = [mask for mask in (self.none, self.absent) if mask is not None]
        flags = (self.none is not None) | (self.absent is not None) << 1
        if masks:
            data = b"".join([*(np.packbits(mask).tobytes() for mask in masks), data])
        return [self.values.code, flags, len(self.values), meta], data

    @classmethod
    def load(cls, count: int, head: Sequence[Any], data: Bytes) -> Self:
        """Return the part that `dump` was called on."""
        code, flags, present, meta = head
        masks: list[np.ndarray | None] = [None, None]
        size = (count + 7) // 8
        for place in (0, 1):
            if flags >> place & 1:
                masks[place], data = bits_of(data[:size], count), data[size:]
        part = cls(count, encoding_of(code).load(present, meta, data), *masks)
        if len(part.values) != (present if flags == 0 else int(part.present().sum())):
            raise CorruptDataError("The number of values in a column is not its number of rows.")
        return part


@dataclass(frozen=True, slots=True)
class Column:
    """The values of one key, a row for each document, in as many parts as they were stored in.

    Examples
    --------
    >>> column = Column.of([1.5, None, 2])
    >>> column.to_pylist()
    [1.5, None, 2]
    >>> column.to_numpy()
    array([1.5, nan, 2. ])
    """

    parts: tuple[Part, ...]

    @classmethod
    def of(cls, values: Sequence[Any]) -> Self:
        """Return a column of these values."""
        return cls((Part.of(values),))

    def __len__(self) -> int:
        return sum(part.count for part in self.parts)

    def to_pylist(self) -> list[Any]:
        """Return the exact value of each row, `ABSENT` where a document lacks the key."""
        if len(self.parts) == 1:
            return self.parts[0].to_pylist()
        return [value for part in self.parts for value in part.to_pylist()]

    def to_numpy(self) -> np.ndarray:
        """Return the values as one writable array, the rows along the first axis.

        Integers beside floats become float64 where that is exact. None and absent become NaN in
        a column of floats, NaT in one of times. An absent integer makes its column float64;
        whatever else misses values, mixes types or is ragged is an array of objects, with None
        for what is missing. The result does not depend on how the column was stored.
        """
        match self.parts:
            case [Part(values=Fixed() | Progression() as values, none=None, absent=None)]:
                return values.dense().copy()
        values = _joined(self.parts)
        none = _mask([part.none for part in self.parts], self.parts)
        absent = _mask([part.absent for part in self.parts], self.parts)
        if none is None and absent is None:
            return values
        return _spread(values, none, absent)

    def is_absent(self) -> np.ndarray:
        """Return which rows lack the key."""
        absent = _mask([part.absent for part in self.parts], self.parts)
        return np.zeros(len(self), dtype=bool) if absent is None else absent


@dataclass(frozen=True, slots=True)
class Table:
    """Columns of equally many rows.

    Parameters
    ----------
    count : int
        The number of rows.
    columns : dict
        The columns, by group and name.
    """

    count: int
    columns: Mapping[Key, Column] = field(default_factory=dict)

    def names(self, group: str) -> list[str]:
        """Return the names of the columns in a group, in order."""
        return [name for of, name in self.columns if of == group]


def concatenated(tables: Sequence[Table]) -> Table:
    """Return the rows of all tables, one behind the other, with the union of their columns."""
    if len(tables) == 1:
        return tables[0]
    keys = dict.fromkeys(key for table in tables for key in table.columns)
    return Table(
        sum(table.count for table in tables),
        {
            key: Column(
                tuple(
                    part
                    for table in tables
                    for part in (
                        table.columns[key].parts
                        if key in table.columns
                        else (Part.all_absent(table.count),)
                    )
                )
            )
            for key in keys
        },
    )


def array_of(values: Sequence[Any]) -> np.ndarray:
    """Return values as one array, whose meaning is never changed by their company.

    Numbers become integers or floats, where that is exact; bools, texts and numpy scalars of one
    kind their dtype; lists and arrays of one shape one array with further axes. Anything else is
    an array of objects, in which ragged lists are arrays themselves.

    Examples
    --------
    >>> array_of([1, 2.5])
    array([1. , 2.5])
    >>> array_of([1, True])
    array([1, True], dtype=object)
    >>> array_of([[1, 2], [3]])
    array([array([1, 2]), array([3])], dtype=object)
    """
    kinds = {_kind(value) for value in values}
    match sorted(kinds):
        case []:
            return np.empty(0)
        case ["float"] | ["float", "int"] | ["int"]:
            return _number_array(values, kinds)
        case ["bool"]:
            return np.array(values, dtype=bool)
        case ["text"]:
            return text_array(values)
        case ["list"]:
            return _nested_array(values)
        case ["bytes" | "date" | "complex"]:
            return _scalar_array(values)
        case _:
            return object_array(values)


_KINDS: dict[type, str] = {
    float: "float",
    int: "int",
    bool: "bool",
    str: "text",
    list: "list",
    tuple: "list",
    np.ndarray: "list",
    complex: "complex",
}

_NUMPY_KINDS = {
    "f": "float", "i": "int", "u": "int", "b": "bool", "U": "text",
    "c": "complex", "M": "date", "m": "date",
}  # fmt: skip


def _kind(value: Any) -> str:
    kind = _KINDS.get(type(value))
    if kind is not None:
        return kind
    return _NUMPY_KINDS.get(value.dtype.kind, "other") if isinstance(value, np.generic) else "other"


def _number_array(values: Sequence[Any], kinds: set[str]) -> np.ndarray:
    try:
        array = np.array(values)
    except OverflowError:
        return object_array(values)
    if array.dtype == object or (array.dtype.kind == "f" and "int" in kinds and not _exact(values)):
        return object_array(values)
    return array


def _exact(values: Iterable[Any]) -> bool:
    """Tell whether the integers among these numbers are exact as float64."""
    return all(abs(int(value)) <= EXACT_FLOAT for value in values if _kind(value) == "int")


def _scalar_array(values: Sequence[Any]) -> np.ndarray:
    array = np.array(values)
    same = len({getattr(value, "dtype", None) for value in values}) == 1
    return array if same and array.ndim == 1 else object_array(values)


def _nested_array(values: Sequence[Any]) -> np.ndarray:
    rows = [value if isinstance(value, np.ndarray) else array_of(value) for value in values]
    if any(row.dtype == object for row in rows):
        return object_array(rows)
    return _stacked(rows)


def _stacked(rows: Sequence[np.ndarray]) -> np.ndarray:
    """Return arrays of one shape as one array; as objects where shapes or kinds differ."""
    if len({row.shape for row in rows}) > 1:
        return object_array(rows)
    dtype = _common_dtype(rows)
    return object_array(rows) if dtype is None else np.stack(rows).astype(dtype, copy=False)


def _common_dtype(arrays: Sequence[np.ndarray]) -> np.dtype | None:
    """Return a dtype that holds all these arrays exactly, None if there is none."""
    dtypes = {array.dtype for array in arrays}
    if len(dtypes) == 1:
        return dtypes.pop()
    kinds = {dtype.kind for dtype in dtypes}
    if len(kinds) > 1 and not kinds <= set("iuf"):
        return None
    if kinds & set("OVMm"):
        return None
    common = np.result_type(*dtypes)
    integers = [array for array in arrays if array.dtype.kind in "iu"]
    return common if common.kind != "f" or all(map(_all_exact, integers)) else None


def _all_exact(integers: np.ndarray) -> bool:
    """Tell whether integers are exact as float64."""
    return bool(((integers <= EXACT_FLOAT) & (integers >= -EXACT_FLOAT)).all())


def _joined(parts: Sequence[Part]) -> np.ndarray:
    """Return the values of all parts that are there, as one array of its own.

    Where the parts alone do not tell what `array_of` would make of all values, it is asked.
    """
    filled = [part.values for part in parts if len(part.values)]
    if len({values.family for values in filled}) == 1:
        arrays = [values.dense() for values in filled]
        array = _concatenated(filled[0].family, [a for a in arrays if a is not None])
        if array is not None and len(array) == sum(map(len, filled)):
            return array
    return array_of([value for values in filled for value in values.to_pylist()])


def _concatenated(family: str, arrays: Sequence[np.ndarray]) -> np.ndarray | None:
    """Return arrays of one family of encodings as one, None where that is not the whole truth."""
    if len({array.shape[1:] for array in arrays}) != 1:
        return None
    match family:
        case "array" if arrays[0].ndim == 1:  # arrays without a dimension, not scalars
            return None
        case "array" | "scalar" if len({array.dtype for array in arrays}) > 1:
            return None
        case "text" if _width(arrays) * sum(map(len, arrays)) > MANY_CHARACTERS:
            return None
    dtype = _common_dtype(arrays)
    return None if dtype is None else np.concatenate(arrays, dtype=dtype)


def _width(arrays: Sequence[np.ndarray]) -> int:
    """Return the length of the longest text."""
    return max(array.dtype.itemsize // 4 for array in arrays)


def _mask(masks: Sequence[np.ndarray | None], parts: Sequence[Part]) -> np.ndarray | None:
    if all(mask is None for mask in masks):
        return None
    return np.concatenate(
        [
            np.zeros(part.count, dtype=bool) if mask is None else mask
            for mask, part in zip(masks, parts, strict=True)
        ]
    )


def _spread(values: np.ndarray, none: np.ndarray | None, absent: np.ndarray | None) -> np.ndarray:
    """Return the values at their rows, and what says "missing" in the others."""
    missing = none if absent is None else absent if none is None else none | absent
    assert missing is not None  # noqa: S101 - for the type checker: one of the two is there
    dtype, fill = _filled(values, only_absent=none is None)
    if dtype.kind == "O" and values.ndim > 1:
        values = object_array(list(values))
    rows = np.full((len(missing), *values.shape[1:]), fill, dtype=dtype)
    rows[~missing] = values
    return rows


def _filled(values: np.ndarray, only_absent: bool) -> tuple[np.dtype, Any]:
    """Return the dtype of a column with missing rows, and what stands in those."""
    if len(values) == 0:
        return (np.dtype(float), np.nan) if only_absent else (np.dtype(object), None)
    match values.dtype.kind:
        case "f" | "c":
            return values.dtype, np.nan
        case "M" | "m":
            return values.dtype, np.array("NaT", dtype=values.dtype)
        case "i" | "u" if only_absent and _all_exact(values):
            return np.dtype(float), np.nan
        case _:
            return np.dtype(object), None
