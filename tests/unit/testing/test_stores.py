"""The suite for stores finds what a store does wrong."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytest

from databroker.documents.columns import Table
from databroker.errors import ConflictWarning
from databroker.stores.memory import MemoryStore
from databroker.stores.protocol import Order
from databroker.testing import stores
from databroker.testing.documents import external_run, grid_run
from databroker.testing.stores import StoreMaker


class DropsEvents(MemoryStore):
    def insert(self, name: str, doc: Mapping[str, Any], *, on_conflict: str = "keep") -> None:
        if name == "event" and doc["seq_num"] == 3:
            return
        super().insert(name, doc, on_conflict=on_conflict)


class MakesFloats(MemoryStore):
    def insert(self, name: str, doc: Mapping[str, Any], *, on_conflict: str = "keep") -> None:
        if name == "start" and isinstance(doc.get("scan_id"), int):
            doc = {**doc, "scan_id": float(doc["scan_id"])}
        super().insert(name, doc, on_conflict=on_conflict)


class SwallowsAnything(MemoryStore):
    def insert(self, name: str, doc: Mapping[str, Any], *, on_conflict: str = "keep") -> None:
        if isinstance(doc, Mapping) and "uid" in doc:
            super().insert(name, doc, on_conflict=on_conflict)


class NeverRaises(MemoryStore):
    def insert(self, name: str, doc: Mapping[str, Any], *, on_conflict: str = "keep") -> None:
        super().insert(name, doc)


class HasNoProblems(MemoryStore):
    def problems(self) -> list[Any]:
        return []


class ListsOldestFirst(MemoryStore):
    def uids(self, order: Order = Order.NEWEST_FIRST, **window: Any) -> list[str]:
        return super().uids(Order.OLDEST_FIRST, **window)


class ForgetsTheLimit(MemoryStore):
    def uids(
        self,
        order: Order = Order.NEWEST_FIRST,
        *,
        after: str | None = None,
        limit: int | None = None,
    ) -> list[str]:
        return super().uids(order, after=after)


class FindsEverything(MemoryStore):
    def where(self, node: Any) -> Any:
        return self


class FindsAnyCase(MemoryStore):
    def find(self, key: str | int, limit: int) -> list[str]:
        if isinstance(key, int):
            return super().find(key, limit)
        return [uid for uid in self.uids() if uid.lower().startswith(key.lower())][:limit]


class NamesTheFirstStop(MemoryStore):
    def run_stops(self, uids: Any) -> list[Any]:
        stops = super().run_stops(uids)
        earlier = (self.other_documents(uid) for uid in uids)
        return [
            next((doc for _, name, doc in others if name == "stop"), stop)
            for stop, others in zip(stops, earlier, strict=True)
        ]


class KeepsItsVersion(MemoryStore):
    def version(self, uid: str) -> int:
        return min(super().version(uid), 1)


class CountsOneTooFew(MemoryStore):
    def event_count(self, uid: str, descriptor: str) -> int:
        return max(super().event_count(uid, descriptor) - 1, 0)


class ForgetsTheKeys(MemoryStore):
    def columns(
        self, uid: str, descriptor: str, keys: Any = None, rows: Any = slice(None)
    ) -> Table:
        return super().columns(uid, descriptor, None, rows)


class ForgetsTheRows(MemoryStore):
    def columns(
        self, uid: str, descriptor: str, keys: Any = None, rows: Any = slice(None)
    ) -> Table:
        return super().columns(uid, descriptor, keys)


class SortsStreams(MemoryStore):
    def stream_names(self, uid: str) -> list[str]:
        return sorted(super().stream_names(uid))


class KnowsNoResources(MemoryStore):
    def resource_of(self, uid: str, datum_id: str) -> str | None:
        return None


class LosesUnknownKinds(MemoryStore):
    def other_documents(self, uid: str) -> list[Any]:
        return [item for item in super().other_documents(uid) if item[1] == "stop"]


class StaysOpen(MemoryStore):
    def close(self) -> None:
        pass


class IsEmptyForStrangers(MemoryStore):
    def descriptors(self, uid: str) -> list[Any]:
        return super().descriptors(uid) if uid in self.uids() else []


class SharesDocuments(MemoryStore):
    """Gives back the very documents that it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.starts: dict[str, Any] = {}

    def insert(self, name: str, doc: Mapping[str, Any], *, on_conflict: str = "keep") -> None:
        super().insert(name, doc, on_conflict=on_conflict)
        if name == "start":
            self.starts[doc["uid"]] = doc

    def run_starts(self, uids: Iterable[str]) -> list[Any]:
        return [self.starts[uid] for uid in uids]


class WarnsForNoReason(MemoryStore):
    def insert(self, name: str, doc: Mapping[str, Any], *, on_conflict: str = "keep") -> None:
        super().insert(name, doc, on_conflict=on_conflict)
        if name == "start":
            super().insert(name, {**doc, "note": "made up by the store"})


DEFECTS: dict[type[MemoryStore], tuple[Callable[..., None], tuple[Any, ...]]] = {
    DropsEvents: (stores.test_a_run_is_given_back_as_it_was_inserted, ("simple",)),
    MakesFloats: (stores.test_a_run_is_given_back_as_it_was_inserted, ("simple",)),
    WarnsForNoReason: (stores.test_a_run_is_given_back_as_it_was_inserted, ("simple",)),
    SwallowsAnything: (
        stores.test_what_is_no_document_is_refused_and_nothing_is_lost,
        stores.NO_DOCUMENTS["a list"],
    ),
    NeverRaises: (
        stores.test_a_document_that_contradicts_raises_where_asked,
        ("event", external_run),
    ),
    HasNoProblems: (
        stores.test_a_document_without_its_parent_is_a_problem_until_that_comes,
        ("event",),
    ),
    ListsOldestFirst: (stores.test_the_newest_run_comes_first, ()),
    ForgetsTheLimit: (stores.test_runs_are_listed_page_by_page, (Order.NEWEST_FIRST,)),
    FindsEverything: (stores.test_a_search_finds_what_the_query_means, ()),
    FindsAnyCase: (stores.test_a_run_is_found_by_what_a_person_says, ("AB", ["ABC"])),
    NamesTheFirstStop: (stores.test_starts_and_stops_come_in_the_order_of_the_uids, ()),
    KeepsItsVersion: (stores.test_a_version_grows_with_each_document, ()),
    CountsOneTooFew: (stores.test_events_are_counted_by_descriptor, (stores.as_it_is,)),
    ForgetsTheKeys: (stores.test_a_column_that_no_event_has_is_left_out, ()),
    ForgetsTheRows: (stores.test_rows_of_columns_are_those_of_the_slice, ()),
    SortsStreams: (stores.test_streams_are_named_in_the_order_of_their_first_descriptors, ()),
    KnowsNoResources: (stores.test_the_resource_of_a_datum_is_known, (stores.in_pages,)),
    LosesUnknownKinds: (stores.test_documents_of_unknown_kinds_are_listed_with_their_ordinals, ()),
    StaysOpen: (stores.test_a_closed_store_says_so, ()),
    IsEmptyForStrangers: (stores.test_a_run_that_is_not_there_is_not_found, ("descriptors",)),
    SharesDocuments: (
        stores.test_what_was_inserted_belongs_to_the_caller,
        (grid_run, stores.as_it_is),
    ),
}


@pytest.mark.parametrize("defective", DEFECTS, ids=lambda kind: kind.__name__)
def test_a_defect_is_found(defective: type[MemoryStore]) -> None:
    test, arguments = DEFECTS[defective]
    with StoreMaker(MemoryStore) as make_store:
        test(make_store, *arguments)
    with (
        StoreMaker(defective) as make_store,
        pytest.raises((AssertionError, pytest.fail.Exception, ConflictWarning)),
    ):
        test(make_store, *arguments)


def test_the_module_gives_out_tests_and_nothing_else() -> None:
    assert len(stores.__all__) > 50
    assert all(name.startswith("test_") for name in stores.__all__)


def test_a_maker_closes_what_it_made() -> None:
    with StoreMaker(MemoryStore) as make_store:
        store = make_store()
        assert make_store.reopen(store) is store
        assert not make_store.lasting
    with pytest.raises(ValueError, match="closed"):
        store.count()


def test_a_maker_opens_runs_a_second_time() -> None:
    opened: list[Any] = []
    with StoreMaker(MemoryStore, again=lambda store: opened.append(store) or store) as make_store:
        store = make_store()
        assert make_store.reopen(store) is store
        assert make_store.lasting
    assert opened == [store]
