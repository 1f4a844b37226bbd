"""The exact comparison of documents: every type, every bit, and nothing that is no difference."""

import struct
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, time
from decimal import Decimal
from typing import Any, TypeAlias

import numpy as np

from databroker.errors import InvalidDocumentError

NamedDocument: TypeAlias = tuple[str, Any]
Identity: TypeAlias = tuple[str, Any]

LISTED = 20
"""How many differences the message of a failed assertion lists."""

LISTED_ELEMENTS = 5
"""How many elements of one array are listed before the rest is counted."""

ABSENT = type("Absent", (), {"__repr__": lambda _: "absent"})()


# -- values ----------------------------------------------------------------------------------------


def differences(expected: Any, actual: Any, *, tuples_as_lists: bool = True) -> list[str]:
    """Return each difference as a line: where, both values, both types.

    Two values are the same if nobody could tell them apart: ``1`` is neither ``True`` nor ``1.0``,
    ``-0.0`` is not ``0.0``, ``None`` is not a missing key, a list is not an array, and arrays have
    the same dtype (byte order too) and shape. NaN equals NaN, whatever its payload. The order
    of keys says nothing, any Mapping counts as a dict, and of a time zone the offset is compared.

    Parameters
    ----------
    expected, actual
        Two documents, or any two values.
    tuples_as_lists
        Whether a tuple equals the list of the same items, since stores give lists back.

    Examples
    --------
    >>> differences({"data": {"x": 1, "y": [0.0]}}, {"data": {"y": [-0.0], "x": 1}})
    ["document['data']['y'][0]: expected 0.0 (float), got -0.0 (float)"]
    >>> differences({"a": None}, {})
    ["document['a']: expected None (NoneType), got absent"]
    """
    kind_of = _kind if tuples_as_lists else _kind_with_tuples
    return list(_differences("document", expected, actual, kind_of))


def assert_identical(expected: Any, actual: Any, *, tuples_as_lists: bool = True) -> None:
    """Raise AssertionError, listing the first differences, unless the two are identical.

    Examples
    --------
    >>> assert_identical({"a": (1, 2)}, {"a": [1, 2]})
    >>> assert_identical({"a": 1}, {"a": True})
    Traceback (most recent call last):
    ...
    AssertionError: 1 difference:
    document['a']: expected 1 (int), got True (bool)
    """
    _assert_none(differences(expected, actual, tuples_as_lists=tuples_as_lists))


def _assert_none(found: list[str]) -> None:
    if found:
        more = len(found) - LISTED
        lines = found[:LISTED] + ([f"… and {more} more"] if more > 0 else [])
        noun = "difference" if len(found) == 1 else "differences"
        raise AssertionError("\n".join([f"{len(found)} {noun}:", *lines]))


_Kinds: TypeAlias = Callable[[Any], type]


def _kind(value: Any) -> type:
    return list if isinstance(value, tuple) else _kind_with_tuples(value)


def _kind_with_tuples(value: Any) -> type:
    for kind in (dict, list, Mapping):
        if isinstance(value, kind):
            return dict if kind is Mapping else kind
    return type(value)


def _differences(path: str, expected: Any, actual: Any, kind_of: _Kinds) -> Iterator[str]:
    kind = kind_of(expected)
    if kind is not kind_of(actual):
        yield _line(path, expected, actual)
    elif kind is dict:
        yield from _differences_of_mappings(path, expected, actual, kind_of)
    elif issubclass(kind, (list, tuple)):
        yield from _differences_of_sequences(path, expected, actual, kind_of)
    elif issubclass(kind, (np.ndarray, np.generic)) and not issubclass(kind, (str, bytes)):
        yield from _differences_of_arrays(
            path, np.asanyarray(expected), np.asanyarray(actual), kind_of
        )
    elif not _same(expected, actual):
        yield _line(path, expected, actual)


def _differences_of_mappings(
    path: str, expected: Mapping[Any, Any], actual: Mapping[Any, Any], kind_of: _Kinds
) -> Iterator[str]:
    # Keys carry their type, for 1 and True and 1.0 are one key of a dict.
    left = {(type(key), key): value for key, value in expected.items()}
    right = {(type(key), key): value for key, value in actual.items()}
    for key in left | right:
        yield from _differences(
            f"{path}[{key[1]!r}]", left.get(key, ABSENT), right.get(key, ABSENT), kind_of
        )


def _differences_of_sequences(
    path: str, expected: list[Any], actual: list[Any], kind_of: _Kinds
) -> Iterator[str]:
    if len(expected) != len(actual):
        yield f"{path}: expected {len(expected)} items, got {len(actual)}"
    for index, (left, right) in enumerate(zip(expected, actual, strict=False)):
        yield from _differences(f"{path}[{index}]", left, right, kind_of)


def _line(path: str, expected: Any, actual: Any) -> str:
    return f"{path}: expected {_described(expected)}, got {_described(actual)}"


def _described(value: Any) -> str:
    if value is ABSENT:
        return repr(value)
    return f"{_shortened(repr(value))} ({_type_name(value)})"


def _shortened(text: str, length: int = 80) -> str:
    text = " ".join(text.split("\n"))
    return text if len(text) <= length else f"{text[: length // 2]} … {text[-length // 2 :]}"


def _type_name(value: Any) -> str:
    name = type(value).__qualname__
    match value:
        case np.ndarray():
            return f"{name} of {_dtype_name(value.dtype)}, shape {value.shape}"
        case np.generic():
            return f"{name} of {_dtype_name(value.dtype)}"
        case _:
            return name


def _dtype_name(dtype: np.dtype[Any]) -> str:
    return str(dtype) if dtype.names else dtype.str


# -- single values ---------------------------------------------------------------------------------


def _same(expected: Any, actual: Any) -> bool:
    """Tell whether two values of one type are the same, bit for bit."""
    match expected:
        case str():  # numpy's own comparison of strings drops trailing NULs
            return str.__eq__(expected, actual)
        case bytes():
            return bytes.__eq__(expected, actual)
        case float():
            return _same_floats(expected, actual)
        case complex():
            return _same_floats(expected.real, actual.real) and _same_floats(
                expected.imag, actual.imag
            )
        case Decimal():
            return expected.as_tuple() == actual.as_tuple()
        case datetime() | time():
            return _moment(expected) == _moment(actual)
        case _:
            return bool(expected == actual) or bool(expected != expected and actual != actual)


def _same_floats(expected: float, actual: float) -> bool:
    if expected != expected:
        return actual != actual
    return struct.pack("<d", expected) == struct.pack("<d", actual)


def _moment(value: datetime | time) -> tuple[Any, ...]:
    """Return what tells a moment apart, even from the same instant in another time zone."""
    return value.replace(tzinfo=None), value.utcoffset(), value.fold


# -- arrays ----------------------------------------------------------------------------------------


def _differences_of_arrays(
    path: str, expected: np.ndarray, actual: np.ndarray, kind_of: _Kinds
) -> Iterator[str]:
    if expected.dtype != actual.dtype or expected.shape != actual.shape:
        yield _line(path, expected, actual)
    elif isinstance(expected, np.ma.MaskedArray):
        yield from _differences_of_arrays(path, np.asarray(expected), np.asarray(actual), kind_of)
        masks = np.ma.getmaskarray(expected), np.ma.getmaskarray(actual)
        yield from _differences_of_arrays(f"{path}.mask", *masks, kind_of)
    elif expected.dtype.names is not None:
        for name in expected.dtype.names:
            yield from _differences_of_arrays(
                f"{path}[{name!r}]", np.asarray(expected[name]), np.asarray(actual[name]), kind_of
            )
    elif expected.dtype.hasobject:
        for index in np.ndindex(expected.shape):
            where = path + _subscript(index)
            yield from _differences(where, expected[index], actual[index], kind_of)
    elif not np.all(same := _same_elements(expected, actual)):
        yield from _differing_elements(path, expected, actual, np.argwhere(~same))


def _differing_elements(
    path: str, expected: np.ndarray, actual: np.ndarray, indices: np.ndarray
) -> Iterator[str]:
    for index in map(tuple, indices[:LISTED_ELEMENTS].tolist()):
        yield _line(path + _subscript(index), expected[index], actual[index])
    if (more := len(indices) - LISTED_ELEMENTS) > 0:
        yield f"{path}: {more} more of {expected.size} elements differ"


def _subscript(index: tuple[int, ...]) -> str:
    return f"[{', '.join(map(str, index))}]" if index else ""


def _same_elements(expected: np.ndarray, actual: np.ndarray) -> Any:
    with np.errstate(all="ignore"):  # comparing a signaling NaN raises a floating point flag
        match expected.dtype.kind:
            case "f":
                same_bits = (expected == actual) & (np.signbit(expected) == np.signbit(actual))
                return same_bits | (np.isnan(expected) & np.isnan(actual))
            case "c":
                return _same_elements(np.real(expected), np.real(actual)) & _same_elements(
                    np.imag(expected), np.imag(actual)
                )
            case "m" | "M":
                return (expected == actual) | (np.isnat(expected) & np.isnat(actual))
            case _:
                return np.asarray(expected == actual)


# -- documents -------------------------------------------------------------------------------------


def unpacked(documents: Iterable[NamedDocument]) -> list[NamedDocument]:
    """Return documents with every page and bulk as single Events and Datums, in the same order.

    Columns of pages may be lists or numpy arrays. An array of one dimension stands for Python
    values (numpy scalars where Python has no such value: datetimes and records), one of more
    dimensions for an array in each row. A page without ``filled`` gives Events without
    ``filled``. Of keys that event-model does not know, lists and arrays are columns too; anything
    else is copied into each document.

    Examples
    --------
    >>> unpacked([("datum_page", {"resource": "r", "datum_id": ["r/0", "r/1"],
    ...                           "datum_kwargs": {"frame": [7, 8]}})])
    [('datum', {'resource': 'r', 'datum_id': 'r/0', 'datum_kwargs': {'frame': 7}}),
     ('datum', {'resource': 'r', 'datum_id': 'r/1', 'datum_kwargs': {'frame': 8}})]
    """
    return [single for name, doc in documents for single in _singles(name, doc)]


def _singles(name: str, doc: Mapping[str, Any]) -> Iterator[NamedDocument]:
    match name:
        case "event_page":
            yield from _rows("event", doc, "uid", ("data", "timestamps", "filled"))
        case "datum_page":
            yield from _rows("datum", doc, "datum_id", ("datum_kwargs",))
        case "bulk_events":
            yield from (("event", event) for events in doc.values() for event in events)
        case "bulk_datum":
            shared = {key: value for key, value in doc.items() if key not in _BULK_DATUM}
            for datum_id, kwargs in zip(doc["datum_ids"], doc["datum_kwarg_list"], strict=True):
                yield "datum", {**shared, "datum_id": datum_id, "datum_kwargs": kwargs}
        case _:
            yield name, doc


_BULK_DATUM = ("datum_ids", "datum_kwarg_list")


def _rows(
    name: str, page: Mapping[str, Any], identity: str, groups: tuple[str, ...]
) -> Iterator[NamedDocument]:
    count = len(page[identity])
    columns = {
        key: _items(page, key, value, count)
        for key, value in page.items()
        if isinstance(value, (list, tuple, np.ndarray))
    }
    grouped = {
        group: {key: _items(page, key, column, count) for key, column in page[group].items()}
        for group in groups
        if isinstance(page.get(group), Mapping)
    }
    shared = {key: value for key, value in page.items() if key not in columns | grouped}
    for row in range(count):
        items = {key: column[row] for key, column in columns.items()}
        dicts = {
            group: {key: column[row] for key, column in inner.items()}
            for group, inner in grouped.items()
        }
        yield name, shared | items | dicts


def _items(page: Mapping[str, Any], key: str, column: Any, count: int) -> list[Any]:
    if len(column) != count:
        raise InvalidDocumentError(
            f"A page has {count} rows, but its column {key!r} has {len(column)}; give every "
            f"column of a page as many values as there are uids: {_shortened(repr(page))}"
        )
    # tolist() would turn datetime64[ns] into int and a record into a tuple.
    if isinstance(column, np.ndarray) and column.ndim == 1 and column.dtype.kind not in "mMV":
        return column.tolist()
    return list(column)


def assert_same_documents(
    inserted: Iterable[NamedDocument], given_back: Iterable[NamedDocument]
) -> None:
    """Raise AssertionError unless the documents given back are those that were inserted.

    The order, the interleaving and the packing into pages may differ. Of each Run, the Run Start
    comes first, the Run Stop that was inserted last comes last, and the Events of a descriptor
    keep their order.

    Parameters
    ----------
    inserted
        The documents of one or several Runs, as ``(name, document)``.
    given_back
        What came back, as ``(name, document)``.

    Examples
    --------
    >>> run = [("start", {"uid": "a", "time": 1.0}), ("stop", {"uid": "b", "run_start": "a"})]
    >>> assert_same_documents(run, run)
    >>> assert_same_documents(run, run[:1])
    Traceback (most recent call last):
    ...
    AssertionError: 1 difference:
    stop 'b' is missing
    """
    expected, actual = unpacked(inserted), unpacked(given_back)
    found = list(_differences_of_runs(expected, actual))
    # Order is said only of complete Runs: whatever is missing also shifts the rest.
    _assert_none(found or list(_differences_of_order(expected, actual)))


def _differences_of_runs(
    expected: list[NamedDocument], actual: list[NamedDocument]
) -> Iterator[str]:
    left, right = _by_identity(expected), _by_identity(actual)
    for identity in left | right:
        label = f"{identity[0]} {identity[1]!r}"
        missing, unexpected = _unmatched(left.get(identity, []), right.get(identity, []))
        for pair in zip(missing, unexpected, strict=False):
            yield from _differences(label, *pair, _kind)
        yield from (f"{label} is missing" for _ in missing[len(unexpected) :])
        yield from (
            f"{label} was given back once too often"
            if identity in left
            else f"{label} was never inserted"
            for _ in unexpected[len(missing) :]
        )


def _unmatched(
    expected: list[Mapping[str, Any]], actual: list[Mapping[str, Any]]
) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    """Return what is left of two lists once identical documents are paired off."""
    missing, unexpected = [], list(actual)
    for document in expected:
        for index, candidate in enumerate(unexpected):
            if next(_differences("", document, candidate, _kind), None) is None:
                del unexpected[index]
                break
        else:
            missing.append(document)
    return missing, unexpected


def _by_identity(documents: list[NamedDocument]) -> dict[Identity, list[Mapping[str, Any]]]:
    grouped: dict[Identity, list[Mapping[str, Any]]] = defaultdict(list)
    for name, doc in documents:
        grouped[_identity(name, doc)].append(doc)
    return dict(grouped)


def _identity(name: str, doc: Mapping[str, Any]) -> Identity:
    return name, doc.get("datum_id" if name == "datum" else "uid")


def _differences_of_order(
    expected: list[NamedDocument], actual: list[NamedDocument]
) -> Iterator[str]:
    left, right = _events_by_descriptor(expected), _events_by_descriptor(actual)
    for descriptor, uids in left.items():
        for index, (one, other) in enumerate(zip(uids, right[descriptor], strict=True)):
            if one != other:
                yield (
                    f"event {index} of descriptor {descriptor!r}: "
                    f"expected {one!r} to come here, got {other!r}"
                )
    last_stops = {doc["run_start"]: doc["uid"] for name, doc in expected if name == "stop"}
    for run, identities in _identities_by_run(actual).items():
        first, last = identities[0], identities[-1]
        if ("start", run) in identities and first != ("start", run):
            yield f"start {run!r} comes after {first[0]} {first[1]!r}"
        if run in last_stops and last != ("stop", last_stops[run]):
            yield f"stop {last_stops[run]!r} comes before {last[0]} {last[1]!r}"


def _events_by_descriptor(documents: list[NamedDocument]) -> dict[Any, list[Any]]:
    uids: dict[Any, list[Any]] = defaultdict(list)
    for name, doc in documents:
        if name == "event":
            uids[doc.get("descriptor")].append(doc.get("uid"))
    return uids


def _identities_by_run(documents: list[NamedDocument]) -> dict[Any, list[Identity]]:
    """Return what was given back of each Run, leaving out what names no Run."""
    owners: dict[Any, Any] = {}
    for name, doc in reversed(documents):
        owners[doc.get("uid")] = _run_of(name, doc, owners)
    runs: dict[Any, list[Identity]] = defaultdict(list)
    for name, doc in documents:
        # Once more, in order: another Run may have a descriptor or Resource of the same uid.
        owners[doc.get("uid")] = run = _run_of(name, doc, owners)
        if run is not None:
            runs[run].append(_identity(name, doc))
    return runs


def _run_of(name: str, doc: Mapping[str, Any], owners: Mapping[Any, Any]) -> Any:
    if name == "start":
        return doc.get("uid")
    if "run_start" in doc:
        return doc["run_start"]
    parents = (doc[key] for key in ("descriptor", "resource", "stream_resource") if key in doc)
    return next((owners[parent] for parent in parents if parent in owners), None)
