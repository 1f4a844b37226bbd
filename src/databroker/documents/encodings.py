"""How the values of one column are laid out as bytes.

Each encoding is exact: ``to_pylist()`` gives the values that it was made of, in type and value.
``dense()`` gives them as one array, the fast way, or None where only `columns.array_of` can tell.
None and absent values are not an encoding's concern: `columns.Part` keeps them apart.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, Self

import numpy as np

from databroker.documents.packing import dtype_of, pack, unpack
from databroker.errors import CorruptDataError

Bytes = bytes | memoryview

EXACT_FLOAT = 2**53
"""Integers below this one, and none at or beyond it, are told from their rounded neighbors."""


class Encoding(Protocol):
    """The values of one column, none of them None or absent."""

    code: ClassVar[str]
    family: ClassVar[str]

    def __len__(self) -> int: ...

    def to_pylist(self) -> list[Any]:
        """Return the values, exactly as they came."""
        ...

    def dense(self) -> np.ndarray | None:
        """Return the values as one array, as `numpy.asarray` would; None if that is not known."""
        ...

    def rows(self, start: int, stop: int) -> "Encoding":
        """Return some of the values."""
        ...

    def dump(self) -> tuple[Any, Bytes]:
        """Return what the bytes need to be read, and the bytes."""
        ...

    @classmethod
    def load(cls, count: int, meta: Any, data: Bytes) -> Self:
        """Return what `dump` was called on."""
        ...


@dataclass(frozen=True, slots=True)
class Fixed:
    """Values of one fixed-width dtype, which `tolist` turns into the Python values they were."""

    array: np.ndarray
    code: ClassVar[str]
    family: ClassVar[str]
    dtype: ClassVar[str]

    def __len__(self) -> int:
        return len(self.array)

    def to_pylist(self) -> list[Any]:
        return self.array.tolist()

    def dense(self) -> np.ndarray:
        return self.array

    def rows(self, start: int, stop: int) -> Encoding:
        return type(self)(self.array[start:stop])

    def dump(self) -> tuple[Any, Bytes]:
        return None, self.array.tobytes()

    @classmethod
    def load(cls, count: int, meta: Any, data: Bytes) -> Self:
        return cls(_from_bytes(data, cls.dtype, count))


class Floats(Fixed):
    """Python floats."""

    __slots__ = ()
    code: ClassVar[str] = "f8"
    family: ClassVar[str] = "number"
    dtype: ClassVar[str] = "<f8"


class Integers(Fixed):
    """Python integers of at most 64 bits."""

    __slots__ = ()
    code: ClassVar[str] = "i8"
    family: ClassVar[str] = "number"
    dtype: ClassVar[str] = "<i8"


class Booleans(Fixed):
    """Python bools."""

    __slots__ = ()
    code: ClassVar[str] = "b1"
    family: ClassVar[str] = "bool"
    dtype: ClassVar[str] = "?"


@dataclass(frozen=True, slots=True)
class Progression:
    """Integers at equal steps, such as seq_num: no bytes at all."""

    first: int
    step: int
    count: int
    code: ClassVar[str] = "range"
    family: ClassVar[str] = "number"

    def __len__(self) -> int:
        return self.count

    def to_pylist(self) -> list[int]:
        return [self.first + self.step * n for n in range(self.count)]

    def dense(self) -> np.ndarray:
        return self.first + self.step * np.arange(self.count)

    def rows(self, start: int, stop: int) -> Encoding:
        return Progression(self.first + self.step * start, self.step, stop - start)

    def dump(self) -> tuple[Any, Bytes]:
        return [self.first, self.step], b""

    @classmethod
    def load(cls, count: int, meta: Any, data: Bytes) -> Self:
        first, step = meta
        return cls(first, step, count)


@dataclass(frozen=True, slots=True)
class Mixed:
    """Python floats and integers below 2**53: floats, and which of them were integers."""

    array: np.ndarray
    integers: np.ndarray
    code: ClassVar[str] = "if"
    family: ClassVar[str] = "number"

    def __len__(self) -> int:
        return len(self.array)

    def to_pylist(self) -> list[int | float]:
        values = self.array.tolist()
        for place in np.flatnonzero(self.integers).tolist():
            values[place] = int(values[place])
        return values

    def dense(self) -> np.ndarray:
        return self.array

    def rows(self, start: int, stop: int) -> Encoding:
        return Mixed(self.array[start:stop], self.integers[start:stop])

    def dump(self) -> tuple[Any, Bytes]:
        return None, self.array.tobytes() + np.packbits(self.integers).tobytes()

    @classmethod
    def load(cls, count: int, meta: Any, data: Bytes) -> Self:
        array, bits = data[: 8 * count], data[8 * count :]
        return cls(_from_bytes(array, "<f8", count), bits_of(bits, count))


@dataclass(frozen=True, slots=True)
class Uuids:
    """Texts that are uuids in their usual form: 16 bytes each."""

    array: np.ndarray
    code: ClassVar[str] = "uuid"
    family: ClassVar[str] = "text"

    def __len__(self) -> int:
        return len(self.array)

    def _characters(self) -> np.ndarray:
        characters = np.full((len(self.array), 36), ord("-"), dtype=np.uint8)
        digits = np.empty((len(self.array), 32), dtype=np.uint8)
        digits[:, 0::2] = HEX[self.array >> 4]
        digits[:, 1::2] = HEX[self.array & 15]
        characters[:, DIGITS] = digits
        return characters

    def to_pylist(self) -> list[str]:
        text = self._characters().tobytes().decode("ascii")
        return [text[place : place + 36] for place in range(0, len(text), 36)]

    def dense(self) -> np.ndarray:
        return self._characters().astype("<u4").view("<U36").reshape(len(self.array))

    def rows(self, start: int, stop: int) -> Encoding:
        return Uuids(self.array[start:stop])

    def dump(self) -> tuple[Any, Bytes]:
        return None, self.array.tobytes()

    @classmethod
    def load(cls, count: int, meta: Any, data: Bytes) -> Self:
        return cls(_from_bytes(data, "u1", 16 * count).reshape(count, 16))

    @classmethod
    def of(cls, values: Sequence[str]) -> Self | None:
        """Return the encoding of these texts, None if they are not all uuids."""
        text = "".join(values)
        if len(text) != 36 * len(values) or not text.isascii():
            return None
        characters = np.frombuffer(text.encode("ascii"), np.uint8).reshape(-1, 36)
        nibbles = NIBBLE[characters[:, DIGITS]]
        if (characters[:, DASHES] != ord("-")).any() or (nibbles > 15).any():
            return None
        if any(len(value) != 36 for value in values):
            return None
        return cls(nibbles[:, 0::2] << 4 | nibbles[:, 1::2])


DASHES = np.array([8, 13, 18, 23])
DIGITS = np.setdiff1d(np.arange(36), DASHES)
HEX = np.frombuffer(b"0123456789abcdef", np.uint8)
NIBBLE = np.full(256, 255, dtype=np.uint8)
NIBBLE[HEX] = np.arange(16)


@dataclass(frozen=True, slots=True)
class Labels:
    """Texts that repeat: the distinct ones, and a byte for each value."""

    labels: tuple[str, ...]
    codes: np.ndarray
    code: ClassVar[str] = "label"
    family: ClassVar[str] = "text"

    def __len__(self) -> int:
        return len(self.codes)

    def to_pylist(self) -> list[str]:
        return list(map(self.labels.__getitem__, self.codes.tolist()))

    def dense(self) -> np.ndarray:
        return text_array(self.labels)[self.codes]

    def rows(self, start: int, stop: int) -> Encoding:
        return Labels(self.labels, self.codes[start:stop])

    def dump(self) -> tuple[Any, Bytes]:
        if len(self.labels) == 1:
            return list(self.labels), b""
        return list(self.labels), self.codes.tobytes()

    @classmethod
    def load(cls, count: int, meta: Any, data: Bytes) -> Self:
        if len(meta) == 1:
            return cls(tuple(meta), np.zeros(count, dtype=np.uint8))
        codes = _from_bytes(data, "u1", count)
        if count and codes.max() >= len(meta):
            raise CorruptDataError("A column of texts refers to a text that is not there.")
        return cls(tuple(meta), codes)

    @classmethod
    def of(cls, values: Sequence[str]) -> Self | None:
        """Return the encoding of these texts, None if too many of them differ."""
        if len(values) > 1 and len(set(values[:1000])) > min(256, len(values[:1000]) // 2):
            return None
        codes = {label: n for n, label in enumerate(dict.fromkeys(values))}
        if len(codes) > 256:
            return None
        return cls(tuple(codes), np.array([codes[value] for value in values], dtype=np.uint8))


@dataclass(frozen=True, slots=True)
class Texts:
    """Texts: their lengths in characters, and all of them in a row."""

    lengths: np.ndarray
    text: str
    code: ClassVar[str] = "str"
    family: ClassVar[str] = "text"

    def __len__(self) -> int:
        return len(self.lengths)

    def to_pylist(self) -> list[str]:
        text = self.text
        ends = np.cumsum(self.lengths, dtype=np.int64).tolist()
        return [text[start:end] for start, end in zip([0, *ends], ends, strict=False)]

    def dense(self) -> np.ndarray:
        longest = int(self.lengths.max(initial=0))
        if self.text.isascii() and longest * len(self) < 4 * len(self.text) + 1000:
            return self._ascii_array(max(longest, 1))
        return text_array(self.to_pylist())

    def _ascii_array(self, width: int) -> np.ndarray:
        if "\0" in self.text:  # it may end a text, and fixed-width texts lose it there
            return text_array(self.to_pylist())
        places = np.arange(width) < self.lengths[:, None]
        characters = np.zeros((len(self), width), dtype="<u4")
        characters[places] = np.frombuffer(self.text.encode("ascii"), np.uint8)
        return characters.view(f"<U{width}").reshape(len(self))

    def rows(self, start: int, stop: int) -> Encoding:
        return encoded(self.to_pylist()[start:stop])

    def dump(self) -> tuple[Any, Bytes]:
        return None, self.lengths.tobytes() + self.text.encode("utf-8", "surrogatepass")

    @classmethod
    def load(cls, count: int, meta: Any, data: Bytes) -> Self:
        lengths = _from_bytes(data[: 4 * count], "<u4", count)
        text = str(data[4 * count :], "utf-8", "surrogatepass")
        if int(lengths.sum(dtype=np.int64)) != len(text):
            raise CorruptDataError("A column of texts is cut short.")
        return cls(lengths, text)

    @classmethod
    def of(cls, values: Sequence[str]) -> Self:
        """Return the encoding of these texts."""
        lengths = np.fromiter(map(len, values), dtype="<u4", count=len(values))
        return cls(lengths, "".join(values))


MANY_CHARACTERS = 2**24
"""Up to this size, a fixed-width array is no waste, however short most of its texts are."""


def text_array(values: Sequence[str]) -> np.ndarray:
    """Return texts as a fixed-width array; as objects where that would lose or waste something."""
    longest = max(map(len, values), default=0)
    size = longest * len(values)
    wasteful = size > MANY_CHARACTERS and size > 16 * sum(map(len, values))
    if wasteful or any(value.endswith("\0") for value in values):
        return object_array(values)
    return np.array(values, dtype=f"<U{max(longest, 1)}")


def object_array(values: Sequence[Any]) -> np.ndarray:
    """Return a one-dimensional array of these very objects."""
    array = np.empty(len(values), dtype=object)
    for place, value in enumerate(values):  # array[:] = values would spread nested lists
        array[place] = value
    return array


@dataclass(frozen=True, slots=True)
class Lists:
    """Lists, flattened into one column: their length, or their lengths where they differ."""

    length: int | None
    lengths: np.ndarray
    items: "Encoding"
    code: ClassVar[str] = "list"
    family: ClassVar[str] = "list"

    def __len__(self) -> int:
        return len(self.lengths)

    def to_pylist(self) -> list[list[Any]]:
        items = self.items.to_pylist()
        ends = np.cumsum(self.lengths, dtype=np.int64).tolist()
        return [items[start:end] for start, end in zip([0, *ends], ends, strict=False)]

    def dense(self) -> np.ndarray | None:
        items = self.items.dense()
        if self.length is None or items is None or items.dtype == object:
            return None
        return items.reshape(len(self), self.length, *items.shape[1:])

    def rows(self, start: int, stop: int) -> Encoding:
        first, last = int(self.lengths[:start].sum()), int(self.lengths[:stop].sum())
        return Lists(self.length, self.lengths[start:stop], self.items.rows(first, last))

    def dump(self) -> tuple[Any, Bytes]:
        meta, data = self.items.dump()
        head = [self.length, self.items.code, len(self.items), meta]
        return head, data if self.length is not None else self.lengths.tobytes() + bytes(data)

    @classmethod
    def load(cls, count: int, meta: Any, data: Bytes) -> Self:
        length, code, items, inner = meta
        if length is not None:
            lengths = np.full(count, length, dtype="<u4")
        else:
            lengths, data = _from_bytes(data[: 4 * count], "<u4", count), data[4 * count :]
        if int(lengths.sum(dtype=np.int64)) != items:
            raise CorruptDataError("A column of lists is cut short.")
        return cls(length, lengths, encoding_of(code).load(items, inner, data))

    @classmethod
    def of(cls, values: Sequence[Sequence[Any]]) -> "Encoding":
        """Return the encoding of these lists."""
        items = list(itertools.chain.from_iterable(values))
        encoding = encoded(items)
        if isinstance(encoding, Objects):  # flattening gains nothing
            return Objects.of(values)
        lengths = np.fromiter(map(len, values), dtype="<u4", count=len(values))
        same = bool((lengths == lengths[0]).all())
        return cls(int(lengths[0]) if same else None, lengths, encoding)


@dataclass(frozen=True, slots=True)
class Arrays:
    """Arrays of one dtype and shape, stacked."""

    array: np.ndarray
    code: ClassVar[str] = "array"
    family: ClassVar[str] = "array"

    def __len__(self) -> int:
        return len(self.array)

    def to_pylist(self) -> list[np.ndarray]:
        # An index with an ellipsis gives an array even where it has no dimension left.
        return [self.array[row, ...].copy() for row in range(len(self.array))]

    def dense(self) -> np.ndarray:
        return self.array

    def rows(self, start: int, stop: int) -> Encoding:
        return type(self)(self.array[start:stop])

    def dump(self) -> tuple[Any, Bytes]:
        descr = np.lib.format.dtype_to_descr(self.array.dtype)
        return [descr, list(self.array.shape[1:])], self.array.tobytes()

    @classmethod
    def load(cls, count: int, meta: Any, data: Bytes) -> Self:
        descr, shape = meta
        dtype, size = dtype_of(descr), count * int(np.prod(shape, dtype=np.int64))
        return cls(_from_bytes(data, dtype, size).reshape(count, *shape))

    @classmethod
    def of(cls, values: Sequence[np.ndarray]) -> "Encoding":
        """Return the encoding of these arrays."""
        dtype, shape = values[0].dtype, values[0].shape
        alike = all(value.dtype == dtype and value.shape == shape for value in values)
        if not alike or dtype.hasobject or dtype.kind == "T":
            return Objects.of(values)
        array = np.empty((len(values), *shape), dtype=dtype)
        for place, value in enumerate(values):
            array[place] = value
        return cls(array)


class Scalars(Arrays):
    """Numpy scalars of one dtype."""

    __slots__ = ()
    code: ClassVar[str] = "scalar"
    family: ClassVar[str] = "scalar"

    def to_pylist(self) -> list[Any]:
        return list(self.array)

    @classmethod
    def of(cls, values: Sequence[Any]) -> Encoding:
        """Return the encoding of these numpy scalars."""
        dtype = values[0].dtype
        if dtype.kind not in "biufcmM" or any(value.dtype != dtype for value in values):
            return Objects.of(values)
        return cls(np.array(values, dtype=dtype))


@dataclass(frozen=True, slots=True)
class Objects:
    """Whatever else: packed, so that each look at them gives fresh ones."""

    count: int
    packed: Bytes
    code: ClassVar[str] = "object"
    family: ClassVar[str] = "object"

    def __len__(self) -> int:
        return self.count

    def to_pylist(self) -> list[Any]:
        values = unpack(self.packed)
        if not isinstance(values, list) or len(values) != self.count:
            raise CorruptDataError("A column of objects is cut short.")
        return values

    def dense(self) -> None:
        return None

    def rows(self, start: int, stop: int) -> Encoding:
        return encoded(self.to_pylist()[start:stop])

    def dump(self) -> tuple[Any, Bytes]:
        return None, self.packed

    @classmethod
    def load(cls, count: int, meta: Any, data: Bytes) -> Self:
        return cls(count, data)

    @classmethod
    def of(cls, values: Sequence[Any]) -> Self:
        """Return the encoding of these objects."""
        return cls(len(values), pack(list(values)))


def _encoded_floats(values: Sequence[float]) -> Encoding:
    return Floats(np.array(values, dtype="<f8"))


def _encoded_integers(values: Sequence[int]) -> Encoding:
    try:
        array = np.array(values, dtype="<i8")
    except OverflowError:
        return Objects.of(values)
    if len(values) > 1:
        step = values[1] - values[0]
        # Differences wrap around like the values themselves, so that equal ones prove nothing
        # unless the last value is where it should be.
        if (np.diff(array) == step).all() and values[-1] == values[0] + step * (len(values) - 1):
            return Progression(values[0], step, len(values))
    return Integers(array)


def _encoded_numbers(values: Sequence[int | float]) -> Encoding:
    integers = np.fromiter((type(value) is int for value in values), dtype=bool, count=len(values))
    try:
        array = np.array(values, dtype="<f8")
    except OverflowError:
        return Objects.of(values)
    if (np.abs(array[integers]) >= EXACT_FLOAT).any():  # rounded, beyond may look like at
        return Objects.of(values)
    return Mixed(array, integers)


def _encoded_texts(values: Sequence[str]) -> Encoding:
    if len(values[0]) == 36:
        uuids = Uuids.of(values)
        if uuids is not None:
            return uuids
    return Labels.of(values) or Texts.of(values)


_ENCODE: dict[frozenset[type], Callable[[Sequence[Any]], Encoding]] = {
    frozenset({float}): _encoded_floats,
    frozenset({int}): _encoded_integers,
    frozenset({float, int}): _encoded_numbers,
    frozenset({bool}): lambda values: Booleans(np.array(values, dtype=bool)),
    frozenset({str}): _encoded_texts,
    frozenset({list}): Lists.of,
    frozenset({tuple}): Lists.of,
    frozenset({list, tuple}): Lists.of,
    frozenset({np.ndarray}): Arrays.of,
}

_ENCODINGS: dict[str, type[Encoding]] = {
    encoding.code: encoding
    for encoding in (
        Floats, Integers, Booleans, Progression, Mixed, Uuids,
        Labels, Texts, Lists, Arrays, Scalars, Objects,
    )
}  # fmt: skip


def encoded(values: Sequence[Any]) -> Encoding:
    """Return the most compact exact encoding of these values.

    Examples
    --------
    >>> encoded([1, 2, 3])
    Progression(first=1, step=1, count=3)
    >>> encoded(["open", "closed", "open", "open"]).labels
    ('open', 'closed')
    """
    types = frozenset(map(type, values))
    encode = _ENCODE.get(types)
    if encode is not None:
        return encode(values)
    if len(types) == 1 and issubclass(next(iter(types)), np.generic):
        return Scalars.of(values)
    return Objects.of(values)


def concatenated(encodings: Sequence[Encoding]) -> Encoding | None:
    """Return encodings as one where their arrays can be put behind each other, else None."""
    kinds = {type(encoding) for encoding in encodings}
    kind = kinds.pop()
    if kinds or kind not in (Floats, Integers, Booleans, Uuids):
        return None
    arrays = [encoding.array for encoding in encodings if isinstance(encoding, Fixed | Uuids)]
    return kind(np.concatenate(arrays))  # type: ignore[call-arg]  # one of the four takes an array


def encoding_of(code: str) -> type[Encoding]:
    """Return the encoding with this code."""
    try:
        return _ENCODINGS[code]
    except KeyError:
        raise CorruptDataError(f"A column names an unknown encoding, {code!r}.") from None


def bits_of(data: Bytes, count: int) -> np.ndarray:
    """Return `count` bools that `numpy.packbits` made these bytes of."""
    bits = np.unpackbits(_from_bytes(data, "u1", (count + 7) // 8))
    return bits[:count].view(bool)


def _from_bytes(data: Bytes, dtype: Any, count: int) -> np.ndarray:
    """Return a read-only view of the bytes."""
    dtype = np.dtype(dtype)
    if dtype.itemsize == 0:
        return np.empty(count, dtype=dtype)
    if len(data) != count * dtype.itemsize:
        raise CorruptDataError(
            f"A column of {count} values of type {dtype} has {len(data)} bytes "
            f"instead of {count * dtype.itemsize}."
        )
    return np.frombuffer(data, dtype=dtype, count=count)
