"""The exact bytes of a value: msgpack, with extension types for what msgpack cannot say.

What comes back equals what went in, in type and value: NaN, infinities, -0.0, integers of any
size, bytes, strings with surrogates, numpy scalars and arrays of every dtype, datetime, Decimal,
UUID, complex. Tuples come back as lists, any Mapping as a dict, bytearray and memoryview as
bytes. What cannot be kept is stored as something plainer, with a warning.
"""

import enum
import warnings
import zlib
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from pathlib import PurePath
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgpack
import numpy as np

from databroker.errors import CoercionWarning, CorruptDataError, InvalidDocumentError

ARRAY, SCALAR, TEXT, INTEGER, COMPLEX, DATETIME, DATE, TIME = range(1, 9)
TIMEDELTA, DECIMAL, UNIQUE, NESTED = range(9, 13)

# msgpack packs 511 levels and unpacks 1024: deeper values are packed in several layers.
LAYER = 200


class _NotStorable(Exception):
    """A value has no exact representation."""


def pack(value: Any) -> bytes:
    """Return the bytes of a value.

    Parameters
    ----------
    value
        Anything. What has no exact representation becomes plainer, and a
        `databroker.errors.CoercionWarning` names its key path.

    Raises
    ------
    databroker.errors.InvalidDocumentError
        The value contains itself, or is nested too deeply for Python.

    Examples
    --------
    >>> unpack(pack({"x": (1, float("inf")), 2: b"abc"}))
    {'x': [1, inf], 2: b'abc'}
    """
    try:
        return _pack_layers(value)
    except _NotStorable:
        return _pack_layers(_coerced(value, "", []))
    except RecursionError:
        raise InvalidDocumentError(
            "The document contains itself, or is nested too deeply to be stored."
        ) from None


def unpack(data: bytes | memoryview) -> Any:
    """Return the value that `pack` made these bytes of.

    Raises
    ------
    databroker.errors.CorruptDataError
        The bytes are damaged.
    """
    try:
        try:
            return _unpack(data)
        except TypeError:  # a tuple used as a key came back as a list
            return _unpack(data, object_pairs_hook=_dict_with_tuple_keys)
    except _DAMAGED as error:
        raise CorruptDataError(f"Stored bytes are not a value: {error}.") from error


def canonical(value: Any) -> bytes:
    """Return bytes that are equal for values which count as the same document.

    Tuple and list, str-Enum and str, numpy scalar and Python scalar, any Mapping and dict count
    as the same, and the order of keys does not matter.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CoercionWarning)
        return pack(_canonical(value))


def stored(value: Any) -> bytes:
    """Return the bytes of a value behind their own checksum."""
    return sealed(pack(value))


def restored(data: bytes | memoryview) -> Any:
    """Return the value that `stored` made these bytes of.

    Raises
    ------
    databroker.errors.CorruptDataError
        The bytes are damaged.
    """
    return unpack(unsealed(data))


def sealed(data: bytes) -> bytes:
    """Return the bytes behind their own checksum."""
    return zlib.crc32(data).to_bytes(4, "little") + data


def unsealed(data: bytes | memoryview) -> bytes | memoryview:
    """Return the bytes that were sealed.

    Raises
    ------
    databroker.errors.CorruptDataError
        The bytes are not those that were sealed.
    """
    seal, content = data[:4], data[4:]
    if zlib.crc32(content).to_bytes(4, "little") != seal:
        raise CorruptDataError("Stored bytes are damaged: their checksum does not hold.")
    return content


def _pack_layers(value: Any) -> bytes:
    try:
        return _packb(value)
    except ValueError as error:
        if "recursion" not in str(error):
            raise
        return _packb(_layered(value, 0))


def _packb(value: Any) -> bytes:
    packer = msgpack.Packer(
        default=_encode,
        strict_types=True,
        use_bin_type=True,
        unicode_errors="surrogatepass",
    )
    return bytes(packer.pack(value))


def _unpack(data: bytes | memoryview, **hooks: Any) -> Any:
    return msgpack.unpackb(
        data,
        ext_hook=_decode,
        raw=False,
        strict_map_key=False,
        unicode_errors="surrogatepass",
        **hooks,
    )


def _dict_with_tuple_keys(pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    return {_hashable(key): value for key, value in pairs}


def _hashable(key: Any) -> Any:
    return tuple(map(_hashable, key)) if isinstance(key, list) else key


def _layered(value: Any, depth: int) -> Any:
    """Return the value with every subtree below `LAYER` levels packed as bytes of its own."""
    if depth == LAYER:
        return msgpack.ExtType(NESTED, _packb(_layered(value, 0)))
    match value:
        case Mapping():
            return {key: _layered(item, depth + 1) for key, item in value.items()}
        case list() | tuple():
            return [_layered(item, depth + 1) for item in value]
        case _:
            return value


# Encoding: one function for each type that msgpack does not know.


def _encode(value: Any) -> Any:
    encode = _ENCODERS.get(type(value))
    if encode is not None:
        return encode(value)
    if isinstance(value, np.str_):  # an array would drop trailing NULs
        return msgpack.ExtType(TEXT, _packb(str.__str__(value)))
    if isinstance(value, np.bytes_):
        return msgpack.ExtType(TEXT, _packb(bytes(value)))
    if isinstance(value, np.generic):
        return msgpack.ExtType(SCALAR, _array_bytes(np.asarray(value)))
    if _is_mapping(value):
        return dict(value)
    raise _NotStorable


def _is_mapping(value: Any) -> bool:
    return isinstance(value, Mapping) and not isinstance(value, enum.Enum)


def _array_bytes(array: np.ndarray) -> bytes:
    """Return dtype, shape and content of an array."""
    if array.dtype.hasobject or array.dtype.kind == "T":
        return _pack_layers(
            ["T" if array.dtype.kind == "T" else "O", array.shape, array.ravel().tolist()]
        )
    descr = np.lib.format.dtype_to_descr(array.dtype)
    return _pack_layers([descr, array.shape, array.tobytes()])


def _encode_datetime(value: datetime) -> msgpack.ExtType:
    zone = value.tzinfo
    match zone:
        case None | timezone():
            key = None
        case ZoneInfo(key=str() as key):
            pass
        case _:
            raise _NotStorable
    return msgpack.ExtType(DATETIME, _packb([value.isoformat(), key, value.fold]))


def _encode_time(value: time) -> msgpack.ExtType:
    if not isinstance(value.tzinfo, timezone | None):
        raise _NotStorable
    return msgpack.ExtType(TIME, value.isoformat().encode())


def _encode_timedelta(value: timedelta) -> msgpack.ExtType:
    return msgpack.ExtType(TIMEDELTA, _packb([value.days, value.seconds, value.microseconds]))


def _encode_complex(value: complex) -> msgpack.ExtType:
    return msgpack.ExtType(COMPLEX, np.complex128(value).tobytes())


_ENCODERS: dict[type, Callable[[Any], Any]] = {
    tuple: list,
    int: lambda value: msgpack.ExtType(
        INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True)
    ),
    np.ndarray: lambda value: msgpack.ExtType(ARRAY, _array_bytes(value)),
    complex: _encode_complex,
    datetime: _encode_datetime,
    date: lambda value: msgpack.ExtType(DATE, value.isoformat().encode()),
    time: _encode_time,
    timedelta: _encode_timedelta,
    Decimal: lambda value: msgpack.ExtType(DECIMAL, str(value).encode()),
    UUID: lambda value: msgpack.ExtType(UNIQUE, value.bytes),
}


# Decoding: one function for each extension type.


def _decode(code: int, data: bytes) -> Any:
    try:
        decode = _DECODERS[code]
    except KeyError:
        raise CorruptDataError(f"Stored bytes name an unknown type, {code}.") from None
    return decode(data)


def _array_of_bytes(data: bytes) -> np.ndarray:
    descr, shape, content = unpack(data)
    match descr:
        case "O":
            array = np.empty(len(content), dtype=object)
            array[:] = content
            for position, item in enumerate(content):  # [:] would spread equally long lists
                array[position] = item
        case "T":
            array = np.array(content, dtype=np.dtypes.StringDType())
        case _:
            array = np.frombuffer(content, dtype=dtype_of(descr)).copy()
    return array.reshape(shape)


def dtype_of(descr: Any) -> np.dtype:
    """Return the dtype of a description that was packed, and so holds lists for tuples.

    Examples
    --------
    >>> dtype_of([["x", "<f8"], ["y", "|u1", [2, 3]]])
    dtype([('x', '<f8'), ('y', 'u1', (2, 3))])
    """
    return np.lib.format.descr_to_dtype(_described(descr))


def _described(descr: Any) -> Any:
    """Return the description with a tuple for each field, which numpy insists on."""
    if isinstance(descr, str):
        return descr
    return [
        (name if isinstance(name, str) else tuple(name), _described(inner), *map(tuple, shape))
        for name, inner, *shape in descr
    ]


def _decode_text(data: bytes) -> np.str_ | np.bytes_:
    value = unpack(data)
    return np.str_(value) if isinstance(value, str) else np.bytes_(value)


def _decode_datetime(data: bytes) -> datetime:
    text, key, fold = unpack(data)
    value = datetime.fromisoformat(text)
    zone: tzinfo | None = value.tzinfo if key is None else ZoneInfo(key)
    if zone == UTC:
        zone = UTC
    return value.replace(tzinfo=zone, fold=fold)


_DECODERS: dict[int, Callable[[bytes], Any]] = {
    ARRAY: _array_of_bytes,
    SCALAR: lambda data: _array_of_bytes(data)[()],
    TEXT: _decode_text,
    INTEGER: lambda data: int.from_bytes(data, "big", signed=True),
    COMPLEX: lambda data: complex(np.frombuffer(data, np.complex128)[0]),
    DATETIME: _decode_datetime,
    DATE: lambda data: date.fromisoformat(data.decode()),
    TIME: lambda data: time.fromisoformat(data.decode()),
    TIMEDELTA: lambda data: timedelta(*unpack(data)),
    DECIMAL: lambda data: Decimal(data.decode()),
    UNIQUE: lambda data: UUID(bytes=data),
    NESTED: lambda data: unpack(data),
}

_DAMAGED = (
    ArithmeticError, AttributeError, LookupError, TypeError, ValueError, msgpack.UnpackException,
)  # fmt: skip
"""What decoding raises where the bytes are not those that were packed."""

EXACT = frozenset({bool, int, float, str, bytes, type(None), list, dict, msgpack.ExtType})
"""The types that msgpack keeps by itself."""


# Coercion: what has no exact representation.


def _coerced(value: Any, path: str, parents: list[int]) -> Any:
    """Return the value with all that cannot be stored made plainer; warn once for each."""
    if id(value) in parents:
        raise InvalidDocumentError(f"The document contains itself, at {path or 'its top'!r}.")
    parents = [*parents, id(value)]
    kind = type(value)
    if _is_mapping(value):
        return {
            _coerced_key(key, path): _coerced(item, f"{path}.{key}" if path else str(key), parents)
            for key, item in value.items()
        }
    if kind in (list, tuple):
        return [_coerced(item, f"{path}.{n}", parents) for n, item in enumerate(value)]
    if kind is np.ndarray and value.dtype.kind == "O":
        plain = np.empty(value.shape, dtype=object)
        for place in np.ndindex(value.shape):
            plain[place] = _coerced(value[place], f"{path}.{'.'.join(map(str, place))}", parents)
        return plain
    if kind in EXACT or isinstance(value, np.generic):
        return value
    try:
        _packb(value)
    except (_NotStorable, TypeError):
        plain = _plainer(value)
        warnings.warn(
            f"{path or 'The document'}: the type {kind.__qualname__} cannot be stored exactly; "
            f"it is stored as {plain!r:.200}.",
            CoercionWarning,
            stacklevel=2,
        )
        return _coerced(plain, path, parents)
    return value


def _coerced_key(key: Any, path: str) -> Any:
    if type(key) in EXACT or isinstance(key, np.generic):
        return key
    if isinstance(key, enum.Enum):
        return key.value
    return _hashable(_coerced(key, f"{path}.{key}", []))


def _plainer(value: Any) -> Any:
    match value:
        case enum.Enum():
            return value.value
        case PurePath():
            return str(value)
        case bool() | int():
            return int(value)
        case float():
            return float(value)
        case str():
            return str.__str__(value)
        case bytes():
            return bytes(value)
        case np.ma.MaskedArray():
            return value.tolist()
        case np.ndarray():
            return np.asarray(value)
        case tuple() if hasattr(value, "_asdict"):
            return value._asdict()  # type: ignore[attr-defined]
        case list() | tuple():
            return list(value)
        case AbstractSet():
            return _sorted_if_possible(value)
        case _ if is_dataclass(value) and not isinstance(value, type):
            return {field.name: getattr(value, field.name) for field in fields(value)}
        case _:
            return repr(value)


def _sorted_if_possible(values: AbstractSet[Any]) -> list[Any]:
    try:
        return sorted(values)
    except TypeError:
        return sorted(values, key=repr)


def _canonical(value: Any) -> Any:
    match value:
        case enum.Enum():
            return _canonical(value.value)
        case Mapping():
            items = [(_canonical(key), _canonical(item)) for key, item in value.items()]
            return {"": sorted(([_packb(k), v] for k, v in items), key=lambda pair: pair[0])}
        case list() | tuple():
            return [_canonical(item) for item in value]
        case np.generic() if value.dtype.kind in "biufcSU":
            return value.item()
        case np.ndarray() | str() | bytes() | bool() | int() | float() | None:
            return value
        case _:
            return _canonical_other(value)


def _canonical_other(value: Any) -> Any:
    """Compare what is coerced when stored by what it is coerced to."""
    plain = _coerced(value, "", [])
    return plain if type(plain) is type(value) else _canonical(plain)
