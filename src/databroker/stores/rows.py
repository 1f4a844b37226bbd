"""Rows that arrive one by one or page by page, gathered into tables."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from databroker.documents.columns import Column, Key, Part, Table, concatenated
from databroker.documents.pages import ORDINAL, RowKind, documents_of, table_of


@dataclass(slots=True)
class RowBuffer:
    """Rows of one parent, in order of arrival, with their ordinals."""

    kind: RowKind
    count: int = 0
    _items: list[tuple[int, dict[str, Any] | Table]] = field(default_factory=list)

    def append(self, ordinal: int, rows: dict[str, Any] | Table) -> None:
        """Take a single document, or a table of them, whose first one has this ordinal."""
        self._items.append((ordinal, rows))
        self.count += rows.count if isinstance(rows, Table) else 1

    def documents(self) -> tuple[list[int], list[dict[str, Any]]]:
        """Return all rows as single documents, and their ordinals."""
        ordinals: list[int] = []
        documents: list[dict[str, Any]] = []
        for ordinal, rows in self._items:
            listed = documents_of(rows, self.kind, "") if isinstance(rows, Table) else [rows]
            ordinals += range(ordinal, ordinal + len(listed))
            documents += map(self._without_parent, listed)
        return ordinals, documents

    def _without_parent(self, row: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in row.items() if name != self.kind.parent}

    def table(self) -> Table:
        """Return all rows as one table."""
        tables: list[Table] = []
        singles: list[tuple[int, dict[str, Any]]] = []
        for ordinal, rows in self._items:
            if isinstance(rows, Table):
                tables += self._gathered(singles)
                singles = []
                tables.append(with_ordinals(rows, range(ordinal, ordinal + rows.count)))
            else:
                singles.append((ordinal, rows))
        return concatenated([*tables, *self._gathered(singles)])

    def _gathered(self, singles: Sequence[tuple[int, dict[str, Any]]]) -> Iterable[Table]:
        if singles:
            ordinals, documents = zip(*singles, strict=True)
            yield with_ordinals(table_of(documents, self.kind), ordinals)


def with_ordinals(table: Table, ordinals: Sequence[int]) -> Table:
    """Return the table with the column of ordinals."""
    return Table(table.count, {**table.columns, ORDINAL: Column.of(list(ordinals))})


def selected(table: Table, keys: Iterable[Key] | None, rows: slice) -> Table:
    """Return some columns and some rows of a table."""
    wanted = table.columns if keys is None else [key for key in keys if key in table.columns]
    start, stop, _ = rows.indices(table.count)
    stop = max(start, stop)
    if (start, stop) == (0, table.count):
        return Table(table.count, {key: table.columns[key] for key in wanted})
    return Table(stop - start, {key: rows_of(table.columns[key], start, stop) for key in wanted})


def rows_of(column: Column, start: int, stop: int) -> Column:
    """Return some rows of a column; the parts that lie within are shared."""
    if start == 0 and stop == len(column):
        return column
    parts: list[Part] = []
    offset = 0
    for part in column.parts:
        first, last = max(start - offset, 0), min(stop - offset, part.count)
        if first < last:
            parts.append(part.rows(first, last))
        offset += part.count
    return Column(tuple(parts) or (Part.of([]),))
