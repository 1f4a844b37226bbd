"""One Run that is given by functions, as drivers for databroker 1.x give it."""

import copy
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from databroker.documents.columns import Column, Key, Table, concatenated
from databroker.documents.document import stream_of
from databroker.documents.pages import DATUM, EVENT, ORDINAL, RowKind, table_of_page
from databroker.errors import RunNotFoundError
from databroker.search.nodes import Node
from databroker.search.python import RunDocuments, matches
from databroker.stores.protocol import JSONDocument, Order
from databroker.stores.rows import selected


@dataclass(frozen=True)
class CallableStore:
    """A store of one Run.

    Parameters
    ----------
    get_run_start, get_run_stop : callable
        Return the Run Start; the Run Stop or None.
    get_event_descriptors, get_resources : callable
        Return lists of documents.
    get_event_pages : callable
        Takes the uid of a descriptor; returns its Event Pages.
    get_event_count : callable
        Takes the uid of a descriptor.
    get_resource : callable
        Takes the uid of a Resource, and returns it.
    lookup_resource_for_datum : callable
        Takes a datum_id; returns the uid of its Resource.
    get_datum_pages : callable
        Takes the uid of a Resource; returns its Datum Pages.
    """

    get_run_start: Callable[[], JSONDocument]
    get_run_stop: Callable[[], JSONDocument | None]
    get_event_descriptors: Callable[[], Sequence[JSONDocument]]
    get_event_pages: Callable[..., Iterable[JSONDocument]]
    get_event_count: Callable[[str], int]
    get_resource: Callable[[str], JSONDocument]
    get_resources: Callable[[], Sequence[JSONDocument]]
    lookup_resource_for_datum: Callable[[str], str]
    get_datum_pages: Callable[..., Iterable[JSONDocument]]

    uri = "functions:"

    @property
    def uid(self) -> str:
        """The uid of the Run."""
        return self.get_run_start()["uid"]

    def where(self, node: Node) -> Self:
        documents = RunDocuments(
            self.get_run_start(), self.get_run_stop(), list(self.get_event_descriptors())
        )
        if matches(node, documents):
            return self
        raise RunNotFoundError(f"The only Run of this store, {self.uid}, does not match {node}.")

    def uids(
        self,
        order: Order = Order.NEWEST_FIRST,
        *,
        after: str | None = None,
        limit: int | None = None,
    ) -> list[str]:
        return [] if after is not None else [self.uid][:limit]

    def count(self) -> int:
        return 1

    def find(self, key: str | int, limit: int) -> list[str]:
        start = self.get_run_start()
        found = start.get("scan_id") == key if isinstance(key, int) else self.uid.startswith(key)
        return [self.uid][:limit] if found else []

    def run_starts(self, uids: Sequence[str]) -> list[JSONDocument]:
        return [copy.deepcopy(self.get_run_start()) for _ in uids]

    def run_stops(self, uids: Sequence[str]) -> list[JSONDocument | None]:
        stop = self.get_run_stop()
        return [None if stop is None else copy.deepcopy(stop) for _ in uids]

    def version(self, uid: str) -> int:
        counts = [self.event_count(uid, d["uid"]) for d in self.get_event_descriptors()]
        return 1 + len(counts) + sum(counts) + (self.get_run_stop() is not None)

    def stream_names(self, uid: str) -> list[str]:
        names = (stream_of(descriptor) for descriptor in self.get_event_descriptors())
        return list(dict.fromkeys(names))

    def descriptors(self, uid: str) -> list[JSONDocument]:
        return [copy.deepcopy(descriptor) for descriptor in self.get_event_descriptors()]

    def event_count(self, uid: str, descriptor: str) -> int:
        return self.get_event_count(descriptor)

    def columns(
        self,
        uid: str,
        descriptor: str,
        keys: Iterable[Key] | None = None,
        rows: slice = slice(None),
    ) -> Table:
        table = _table(self.get_event_pages(descriptor), EVENT)
        first = 1
        for before in self.get_event_descriptors():
            if before["uid"] == descriptor:
                break
            first += self.get_event_count(before["uid"])
        ordinals = Column.of(list(range(first, first + table.count)))
        return selected(Table(table.count, {**table.columns, ORDINAL: ordinals}), keys, rows)

    def resources(self, uid: str) -> list[JSONDocument]:
        return [copy.deepcopy(resource) for resource in self.get_resources() or ()]

    def datums(self, uid: str, resource: str) -> Table:
        return _table(self.get_datum_pages(resource), DATUM)

    def resource_of(self, uid: str, datum_id: str) -> str | None:
        return self.lookup_resource_for_datum(datum_id)

    def stream_resources(self, uid: str) -> list[JSONDocument]:
        return []

    def stream_datums(self, uid: str) -> list[JSONDocument]:
        return []

    def other_documents(self, uid: str) -> list[tuple[int, str, JSONDocument]]:
        return []

    def close(self) -> None:
        """Do nothing: the functions belong to whoever made them."""


def _table(pages: Iterable[JSONDocument], kind: RowKind) -> Table:
    tables = [table_of_page(page, kind) for page in pages]
    return concatenated(tables) if tables else Table(0)
