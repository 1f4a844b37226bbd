"""The rows of one parent, as they lie in a relational database."""

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from databroker.documents.columns import Column, Key, Part, Table, concatenated
from databroker.documents.packing import restored
from databroker.documents.pages import RowKind, StoredColumn, documents_of, stored_columns, table_of
from databroker.errors import CorruptDataError
from databroker.stores.rows import selected, with_ordinals
from databroker.stores.schema import text_key
from databroker.stores.statements import Session

if TYPE_CHECKING:
    from databroker.stores.protocol import JSONDocument


Window: TypeAlias = tuple[Any, ...]
"""First row, number of rows, and the rows themselves."""


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

    def table(self, start: int, stop: int, keys: Collection[Key] | None) -> Table:
        """Return rows as a table, as far as they are there, with the columns that are asked for."""
        stretches = [*self._pages(start, stop, keys), *self._tail(start, stop, keys)]
        stretches.sort(key=lambda stretch: stretch[0])  # a large flush may lie behind a tail
        if not stretches:  # the columns are there all the same
            first_row = [*self._pages(0, 1, keys), *self._tail(0, 1, keys)]
            return selected(first_row[0][1], None, slice(0, 0)) if first_row else Table(0)
        at = end = stretches[0][0]
        for first, table in stretches:
            if first != end or at > start:
                raise CorruptDataError(f"Rows before {first} are missing.")
            end = first + table.count
        whole = concatenated([table for _, table in stretches])
        return selected(whole, None, slice(start - at, min(stop, end) - at))

    def _pages(
        self, start: int, stop: int, keys: Collection[Key] | None
    ) -> Iterator[tuple[int, Table]]:
        wanted = None if keys is None else frozenset(keys)
        pages = self._session.all("pages", **self._place, start=start, stop=stop)
        for number, first, count, head, body in pages:
            columns = stored_columns(head, wanted)
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
        self, start: int, stop: int, keys: Collection[Key] | None
    ) -> Iterator[tuple[int, Table]]:
        windows = self._session.all("tails", **self._place, start=start, stop=stop)
        for neighbors in _neighbors(windows):
            ordinals: list[int] = []
            documents: list[JSONDocument] = []
            for first, count, body in neighbors:
                numbers, rows = restored(body)
                if count != len(rows):
                    raise CorruptDataError(f"Rows behind {first} are missing.")
                ordinals += numbers
                documents += rows
            table = with_ordinals(table_of(documents, self._kind), ordinals)
            yield neighbors[0][0], table if keys is None else selected(table, keys, slice(None))


def stored_documents(
    session: Session, run: str, kind: RowKind, parent: str
) -> list["JSONDocument"]:
    """Return the rows of a parent as single documents, none if the Run has no such parent."""
    rows = StoredRows.of(session, run, kind, parent)
    return [] if rows is None else documents_of(rows.table(0, rows.count(), None), kind, parent)


def _neighbors(windows: Sequence[Window]) -> Iterator[list[Window]]:
    """Yield windows that follow each other without a gap, together."""
    group: list[Window] = []
    for window in windows:
        if group and window[0] != group[-1][0] + group[-1][1]:
            yield group
            group = []
        group.append(window)
    if group:
        yield group
