"""Rows of documents: Events, Datums and Stream Datums as tables, and tables as bytes."""

import itertools
import operator
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from databroker.documents.columns import ABSENT, Column, Key, Part, Table
from databroker.documents.encodings import Bytes
from databroker.documents.packing import pack, sealed, unpack, unsealed
from databroker.errors import CorruptDataError, InvalidDocumentError

ORDINAL: Final[Key] = ("#", "ordinal")
"""The column of the place of each row among all documents of its Run."""

LACKS: Final = "!"
"""The group of columns that say which rows lack a whole group, such as ``filled``."""


@dataclass(frozen=True, slots=True)
class RowKind:
    """A kind of document that comes in large numbers and is kept in columns.

    Parameters
    ----------
    name : str
        The kind of a single document.
    parent : str
        The item that names the parent document; all rows of a table share it.
    uid : str
        The item that identifies a document.
    groups : tuple of str
        The items that are dicts, and give a column for each of their keys.
    """

    name: str
    parent: str
    uid: str
    groups: tuple[str, ...]


EVENT = RowKind("event", "descriptor", "uid", ("data", "timestamps", "filled"))
DATUM = RowKind("datum", "resource", "datum_id", ("datum_kwargs",))
STREAM_DATUM = RowKind("stream_datum", "stream_resource", "uid", ("indices", "seq_nums"))

ROW_KINDS: dict[str, RowKind] = {kind.name: kind for kind in (EVENT, DATUM, STREAM_DATUM)}

ROW_PARENTS: tuple[str, ...] = tuple(kind.parent for kind in ROW_KINDS.values())
"""The kinds of documents that others belong to in large numbers."""


# Documents → table


def table_of(rows: Sequence[Mapping[str, Any]], kind: RowKind) -> Table:
    """Return single documents of one parent as a table.

    Examples
    --------
    >>> table = table_of([{"datum_id": "r/0", "resource": "r", "datum_kwargs": {"n": 0}}], DATUM)
    >>> list(table.columns)
    [('', 'datum_id'), ('datum_kwargs', 'n')]
    """
    return Table(
        len(rows), {key: Column.of(list(values)) for key, values in _transposed(rows, kind)}
    )


def _transposed(
    rows: Sequence[Mapping[str, Any]], kind: RowKind
) -> Iterator[tuple[Key, Sequence[Any]]]:
    groups = {group: [row.get(group) for row in rows] for group in kind.groups}
    odd = {group for group, values in groups.items() if set(map(type, values)) != {dict}}
    for name, values in _columns_of(rows):
        if name != kind.parent and name not in groups:
            yield ("", name), values
    for group, values in groups.items():
        if group in odd:
            yield from _odd_group(rows, group)
        dicts = [value if type(value) is dict else {} for value in values]
        for name, column in _columns_of(dicts):
            yield (group, name), column


def _columns_of(rows: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Sequence[Any]]]:
    """Yield the name and the values of each key; `ABSENT` where a row lacks it."""
    names = list(rows[0])
    if not names and not any(rows):
        return
    columns = _uniform_columns(rows, names)
    if columns is not None:
        yield from zip(names, columns, strict=True)
        return
    for name in dict.fromkeys(itertools.chain.from_iterable(rows)):
        yield name, [row.get(name, ABSENT) for row in rows]


def _uniform_columns(
    rows: Sequence[Mapping[str, Any]], names: Sequence[str]
) -> Iterable[Sequence[Any]] | None:
    """Return the columns of rows that all have these keys and no others, else None."""
    if set(map(len, rows)) != {len(names)}:
        return None
    try:
        values = list(map(operator.itemgetter(*names), rows))
    except KeyError:  # as many keys, but others
        return None
    return zip(*values, strict=True) if len(names) > 1 else [values]


def _odd_group(rows: Sequence[Mapping[str, Any]], group: str) -> Iterator[tuple[Key, list[Any]]]:
    """Yield which rows lack the group, and what they have in its place."""
    instead = [row.get(group, ABSENT) for row in rows]
    yield (LACKS, group), [type(value) is not dict for value in instead]
    if any(type(value) is not dict and value is not ABSENT for value in instead):
        yield ("", group), [ABSENT if type(value) is dict else value for value in instead]


def table_of_page(page: Mapping[str, Any], kind: RowKind) -> Table:
    """Return an Event Page or Datum Page as a table.

    Columns may be lists or arrays; of a one-dimensional array each row is a Python scalar.

    Raises
    ------
    databroker.errors.InvalidDocumentError
        The columns are not equally long.
    """
    uids = page.get(kind.uid)
    if not isinstance(uids, list | tuple | np.ndarray) or not _all_texts(uids):
        raise InvalidDocumentError(
            f"A {kind.name} page needs a list of {kind.uid}s, one for each row; "
            f"this one has {uids!r:.100}."
        )
    columns: dict[Key, Sequence[Any]] = {}
    for name, value in page.items():
        if name == kind.parent:
            continue
        if name in kind.groups and isinstance(value, Mapping):
            columns.update({(name, key): _listed(column) for key, column in value.items()})
        elif isinstance(value, list | tuple | np.ndarray):
            columns["", name] = _listed(value)
        else:  # not a column: every row has it
            columns["", name] = [value] * len(uids)
    for (group, name), column in columns.items():
        if len(column) != len(uids):
            raise InvalidDocumentError(
                f"The {kind.name} page that begins with {[*uids[:1]]} has {len(uids)} rows, "
                f"but {len(column)} values of "
                f"{f'{group}.{name}' if group else name!r}."
            )
    lacks = {(LACKS, group): [True] * len(uids) for group in kind.groups if group not in page}
    return Table(len(uids), {key: Column.of(values) for key, values in (columns | lacks).items()})


def _all_texts(uids: Iterable[Any]) -> bool:
    return all(isinstance(uid, str) for uid in uids)


def _listed(column: Any) -> Sequence[Any]:
    if isinstance(column, np.ndarray):
        # tolist() would turn datetime64[ns] into int, and a record into a tuple.
        return (
            column.tolist() if column.ndim == 1 and column.dtype.kind not in "mMV" else list(column)
        )
    return column if isinstance(column, list | tuple) else list(column)


# Table → documents


def documents_of(table: Table, kind: RowKind, parent: str) -> list[dict[str, Any]]:
    """Return the rows of a table as single documents.

    Parameters
    ----------
    table : Table
        With all its columns.
    kind : RowKind
        Which kind of documents they are.
    parent : str
        The uid of their parent.
    """
    items = _dicts(table, "")
    groups = {group: _dicts(table, group) for group in kind.groups}
    lacks = {name: table.columns[LACKS, name].to_pylist() for name in table.names(LACKS)}
    documents = []
    for row in range(table.count):
        document = {kind.parent: parent, **items[row]}
        for group, dicts in groups.items():
            if group not in lacks or lacks[group][row] is not True:
                document[group] = dicts[row]
        documents.append(document)
    return documents


def _dicts(table: Table, group: str) -> list[dict[str, Any]]:
    names = table.names(group)
    if not names:
        return [{} for _ in range(table.count)]
    columns = [table.columns[group, name].to_pylist() for name in names]
    dicts = [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]
    for name in names:
        if table.columns[group, name].is_absent().any():
            for items in dicts:
                if items[name] is ABSENT:
                    del items[name]
    return dicts


# Table → bytes


@dataclass(frozen=True, slots=True)
class StoredPage:
    """A table as bytes: a head that describes the columns, and the bytes of each."""

    count: int
    head: bytes
    bodies: tuple[Bytes, ...]


def dump(table: Table) -> StoredPage:
    """Return a table as bytes; each column carries a checksum."""
    parts = [Part.joined(column.parts) for column in table.columns.values()]
    dumped = [part.dump() for part in parts]
    columns = [
        [group, name, len(data), zlib.crc32(data), *head]
        for (group, name), (head, data) in zip(table.columns, dumped, strict=True)
    ]
    return StoredPage(table.count, sealed(pack(columns)), tuple(data for _, data in dumped))


@dataclass(frozen=True, slots=True)
class StoredColumn:
    """Where a stored column is, and how to read it."""

    key: Key
    place: int
    offset: int
    size: int
    checksum: int
    head: Sequence[Any]

    def load(self, count: int, data: Bytes) -> Part:
        """Return the column of `count` rows that these bytes hold.

        Raises
        ------
        databroker.errors.CorruptDataError
            The bytes are not those that were stored.
        """
        if len(data) != self.size or zlib.crc32(data) != self.checksum:
            raise CorruptDataError(
                f"The stored column {'.'.join(filter(None, self.key))!r} is damaged: "
                "its checksum does not hold."
            )
        return Part.load(count, self.head, data)


def stored_columns(head: bytes, keys: AbstractSet[Key] | None = None) -> list[StoredColumn]:
    """Return the columns that the head of a stored page describes; of them those asked for."""
    columns = []
    offset = 0
    for place, (group, name, size, checksum, *rest) in enumerate(unpack(unsealed(head))):
        if keys is None or (group, name) in keys:
            columns.append(StoredColumn((group, name), place, offset, size, checksum, rest))
        offset += size
    return columns
