"""The rows of one parent, as they lie in a relational database."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from databroker.documents.columns import Column, Key, Part, Table, concatenated
from databroker.documents.packing import unpack
from databroker.documents.pages import RowKind, StoredColumn, stored_columns, table_of, unsealed
from databroker.errors import CorruptDataError
from databroker.stores.rows import selected, with_ordinals
from databroker.stores.schema import text_key
from databroker.stores.statements import Session

if TYPE_CHECKING:
    from databroker.stores.protocol import JSONDocument


class StoredRows:
    """The rows of one parent: pages, and a tail of the newest."""

    def __init__(self, session: Session, run: int, parent: int, kind: RowKind) -> None:
        self._session = session
        self._place = {"run": run, "parent": parent}
        self._kind = kind

    @classmethod
    def of(cls, session: Session, uid: str, kind: RowKind, parent: str) -> "StoredRows | None":
        """Return the rows of a parent, None if the Run has no such parent."""
        place = session.one("parent", uid=text_key(uid), parent=text_key(parent), kind=kind.parent)
        return None if place is None else cls(session, place[0], place[1], kind)

    def count(self) -> int:
        ends = (self._session.one(name, **self._place) for name in ("page_end", "tail_end"))
        return max((end[0] for end in ends if end is not None), default=0)

    def has_tail(self) -> bool:
        """Tell whether some rows are not in pages yet."""
        return self._session.one("tail_end", **self._place) is not None

    def tail_count(self) -> int:
        """Return how many rows are not in pages yet."""
        row = self._session.one("tail_rows", **self._place)
        return 0 if row is None else row[0]

    def table(self, start: int, stop: int, keys: frozenset[Key] | None) -> Table:
        """Return rows as a table, as far as they are there, with the columns that are asked for."""
        stretches = [*self._pages(start, stop, keys), *self._tail(start, stop, keys)]
        if not stretches:
            return Table(0)
        at = end = stretches[0][0]
        for first, table in stretches:
            if first != end or at > start:
                raise CorruptDataError(f"Rows before {first} are missing.")
            end = first + table.count
        whole = concatenated([table for _, table in stretches])
        return selected(whole, None, slice(start - at, min(stop, end) - at))

    def _pages(
        self, start: int, stop: int, keys: frozenset[Key] | None
    ) -> Iterator[tuple[int, Table]]:
        pages = self._session.all("pages", **self._place, start=start, stop=stop)
        for number, first, count, head, body in pages:
            columns = [
                column for column in stored_columns(head) if keys is None or column.key in keys
            ]
            parts = {column.key: self._part(number, count, column, body) for column in columns}
            yield first, Table(count, {key: Column((part,)) for key, part in parts.items()})

    def _part(self, number: int, count: int, column: StoredColumn, body: bytes | None) -> Part:
        if body is not None:
            data = memoryview(body)[column.offset : column.offset + column.size]
            return column.load(count, data)
        row = self._session.one("chunk", page=number, place=column.place)
        if row is None:
            raise CorruptDataError(f"The column {'.'.join(filter(None, column.key))!r} is missing.")
        return column.load(count, row[0])

    def _tail(
        self, start: int, stop: int, keys: frozenset[Key] | None
    ) -> Iterator[tuple[int, Table]]:
        windows = self._session.all("tails", **self._place, start=start, stop=stop)
        if not windows:
            return
        ordinals: list[int] = []
        documents: list[JSONDocument] = []
        for first, count, body in windows:
            numbers, rows = unpack(unsealed(body))
            if first != windows[0][0] + len(documents) or count != len(rows):
                raise CorruptDataError(f"Rows before {first} are missing.")
            ordinals += numbers
            documents += rows
        table = with_ordinals(table_of(documents, self._kind), ordinals)
        yield windows[0][0], table if keys is None else selected(table, keys, slice(None))
