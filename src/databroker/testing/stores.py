"""What every store must do, as tests that run on yours.

Bind the tests to a store in a module of your own, which needs a fixture ``make_store``::

    from itertools import count

    import pytest

    from databroker.testing.stores import *  # every test, and nothing else
    from databroker.testing.stores import StoreMaker
    from my_package import MyStore


    @pytest.fixture
    def make_store(tmp_path):
        paths = (tmp_path / f"{number}.mine" for number in count())
        with StoreMaker(
            new=lambda: MyStore(next(paths)),
            again=lambda store: MyStore(store.path),
        ) as make_store:
            yield make_store

and let pytest explain failures with ``pytest.register_assert_rewrite("databroker.testing.stores")``
in your ``conftest.py``.

The tests reach a store through `databroker.stores.protocol.RunStore` and
`databroker.stores.protocol.Writes` only. Whatever they assert, they assert of content.
"""

import copy
import math
import threading
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from itertools import chain, count, zip_longest
from random import Random
from types import MappingProxyType, TracebackType
from typing import Any, Self

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from databroker.documents.columns import ABSENT, Column, Table
from databroker.documents.pages import DATUM, EVENT, ORDINAL, RowKind, documents_of
from databroker.errors import (
    CoercionWarning,
    ConflictError,
    ConflictWarning,
    DatabrokerWarning,
    InvalidDocumentError,
    MetadataWarning,
    RunNotFoundError,
    StoreClosedError,
)
from databroker.search.parse import parse
from databroker.search.python import RunDocuments, matches
from databroker.stores.protocol import Order, Problem, RunStore, Writes
from databroker.testing import strategies
from databroker.testing.comparison import assert_identical, assert_same_documents, unpacked
from databroker.testing.documents import (
    RUNS,
    TIME,
    Document,
    Run,
    RunBuilder,
    array_run,
    bulk,
    children_first_run,
    every_type_run,
    external_run,
    grid_run,
    legacy_external_run,
    numpy_paged,
    paged,
    rewound_run,
    several_descriptors_run,
    simple_run,
    stream_datum_run,
    two_stops_run,
    unknown_kinds_run,
    unnamed_descriptor_run,
    varied_runs,
)

# -- the fixture -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class StoreMaker:
    """Makes the stores of one test, and closes them behind it.

    Parameters
    ----------
    new
        Opens a fresh and empty store.
    again
        Opens the Runs of a store a second time; None for a store whose Runs end with it.
    """

    new: Callable[[], Any]
    again: Callable[[Any], Any] | None = None
    _opened: list[Any] = field(default_factory=list)

    @property
    def lasting(self) -> bool:
        """Whether Runs outlive the store that recorded them."""
        return self.again is not None

    def for_one_example(self) -> Self:
        """Return a maker of its own, so that an example can close what it opened."""
        return type(self)(self.new, self.again)

    def __call__(self) -> Any:
        """Return a fresh and empty store."""
        return self._kept(self.new())

    def reopen(self, store: Any) -> Any:
        """Return another store of the same Runs; the same one, where there is no other."""
        return store if self.again is None else self._kept(self.again(store))

    def _kept(self, store: Any) -> Any:
        self._opened.append(store)
        return store

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for store in self._opened:
            store.close()


# -- helpers ---------------------------------------------------------------------------------------


def given_back(store: RunStore, uid: str) -> Run:
    """Return all documents of a Run as single ones, composed of what the store says."""
    (start,), (stop,) = store.run_starts([uid]), store.run_stops([uid])
    descriptors, resources = store.descriptors(uid), store.resources(uid)
    return [
        ("start", start),
        *((name, document) for _, name, document in store.other_documents(uid)),
        *(("descriptor", document) for document in descriptors),
        *(("resource", document) for document in resources),
        *(
            datum
            for resource in resources
            for datum in _rows(store.datums(uid, resource["uid"]), DATUM, resource["uid"])
        ),
        *(("stream_resource", document) for document in store.stream_resources(uid)),
        *(("stream_datum", document) for document in store.stream_datums(uid)),
        *(
            event
            for descriptor in descriptors
            for event in _rows(store.columns(uid, descriptor["uid"]), EVENT, descriptor["uid"])
        ),
        *([] if stop is None else [("stop", stop)]),
    ]


def _rows(table: Table, kind: RowKind, parent: str) -> Run:
    return [(kind.name, document) for document in documents_of(table, kind, parent)]


def insert(store: Writes, documents: Iterable[tuple[str, Any]]) -> None:
    """Insert documents, which the store must take as they are."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", DatabrokerWarning)
        warnings.simplefilter("ignore", MetadataWarning)
        for name, document in documents:
            store.insert(name, document)


def record(store: Writes, documents: Iterable[tuple[str, Any]]) -> None:
    """Insert documents, and wait until they are stored."""
    insert(store, documents)
    store.flush()


def assert_holds(store: Any, run: Run) -> None:
    """Assert that the store gives back these Runs, and has no problem with any document."""
    actual = chain.from_iterable(given_back(store, uid) for uid in uids_in(run))
    assert_same_documents(run, actual)
    assert store.problems() == []


def uids_in(run: Run) -> list[str]:
    """Return the uids of the Runs, in order."""
    return [document["uid"] for name, document in run if name == "start"]


def first_of(run: Run, name: str) -> Document:
    """Return the first document of a kind."""
    return next(document for kind, document in run if kind == name)


def uids_of(run: Run, name: str) -> list[str]:
    """Return the uids of all documents of a kind, in order."""
    return [document["uid"] for kind, document in run if kind == name]


def events_by_descriptor(run: Run) -> dict[str, list[Document]]:
    """Return the Events of each descriptor, in order."""
    return {
        uid: [
            document
            for name, document in unpacked(run)
            if name == "event" and document["descriptor"] == uid
        ]
        for uid in uids_of(run, "descriptor")
    }


def as_it_is(run: Run) -> Run:
    """Return the Run in single documents."""
    return run


def in_pages(run: Run) -> Run:
    """Return the Run in pages of three rows."""
    return paged(run, 3)


def in_numpy_pages(run: Run) -> Run:
    """Return the Run in pages of four rows, made of arrays."""
    return numpy_paged(run, 4)


PACKINGS: tuple[Callable[[Run], Run], ...] = (as_it_is, in_pages, in_numpy_pages, bulk)

every_packing = pytest.mark.parametrize("pack", PACKINGS)
every_run = pytest.mark.parametrize("name", RUNS)


def examples(number: int) -> settings:
    """Return settings for stores, which may be slow."""
    return settings(max_examples=number, deadline=None)


# -- what was inserted is given back ---------------------------------------------------------------


def test_a_store_says_what_it_is(make_store: StoreMaker) -> None:
    store = make_store()
    assert isinstance(store, RunStore)
    assert isinstance(store, Writes)
    assert isinstance(store.uri, str)


def test_a_new_store_is_empty(make_store: StoreMaker) -> None:
    store = make_store()
    assert store.uids() == []
    assert store.count() == 0
    assert store.problems() == []
    assert store.run_starts([]) == []
    assert store.run_stops([]) == []


@every_run
def test_a_run_is_given_back_as_it_was_inserted(make_store: StoreMaker, name: str) -> None:
    store, run = make_store(), RUNS[name]()
    record(store, copy.deepcopy(run))
    assert_holds(store, run)
    assert_holds(make_store.reopen(store), run)


def test_any_run_is_given_back_as_it_was_inserted(make_store: StoreMaker) -> None:
    @examples(40)
    @given(strategies.runs())
    def holds(run: Run) -> None:
        with make_store.for_one_example() as make:
            store = make()
            record(store, copy.deepcopy(run))
            assert_holds(make.reopen(store), run)

    holds()


@every_packing
def test_many_events_are_given_back(make_store: StoreMaker, pack: Callable[[Run], Run]) -> None:
    store, run = make_store(), simple_run(1500, seed="many events")
    record(store, pack(run))
    assert_holds(store, run)
    assert_holds(make_store.reopen(store), run)


@pytest.mark.parametrize("lengths", [(2, 1000), (1000, 2), (1, 600, 1, 600, 1), (300,) * 5])
@every_packing
def test_events_may_come_in_stretches_of_any_length(
    make_store: StoreMaker, pack: Callable[[Run], Run], lengths: tuple[int, ...]
) -> None:
    store, run = make_store(), simple_run(sum(lengths), seed="stretches", stop=False)
    record(store, run[:2])
    place = 2
    for length in lengths:
        record(store, pack(run[place : place + length]))
        place += length
        assert_holds(store, run[:place])
    record(store, [("stop", {"uid": "stop", "run_start": run[0][1]["uid"], "time": TIME})])
    columns = make_store.reopen(store).columns(run[0][1]["uid"], run[1][1]["uid"]).columns
    assert columns["", "uid"].to_pylist() == uids_of(run, "event")


def test_single_events_and_pages_may_alternate(make_store: StoreMaker) -> None:
    store, run = make_store(), simple_run(30, seed="alternating")
    mixed = [*run[:5], *paged(run[5:12], 3), *numpy_paged(run[12:20], 8), *bulk(run[20:])]
    record(store, run[:2] + mixed[2:])
    assert_holds(store, run)


def test_runs_are_kept_apart_though_their_documents_alternate(make_store: StoreMaker) -> None:
    store = make_store()
    together = [make() for name, make in RUNS.items() if name not in _NAMELESS]
    record(store, (item for row in zip_longest(*together) for item in row if item is not None))
    for run in together:
        assert_holds(store, run)
    assert sorted(store.uids()) == sorted(uid for run in together for uid in uids_in(run))


_NAMELESS = ("legacy external", "unknown kinds")
"""Runs with documents that name no Run, so that nobody can tell whose they are among others."""


@every_packing
def test_many_runs_may_be_shuffled_together(
    make_store: StoreMaker, pack: Callable[[Run], Run]
) -> None:
    random = Random(20)  # noqa: S311 - a reproducible order, no secrets
    together = [pack(external_run(seed=f"shuffled {number}")) for number in range(12)]
    waiting = [list(run) for run in together]
    store = make_store()
    while waiting:
        run = random.choice(waiting)
        insert(store, [run.pop(0)])
        waiting = [run for run in waiting if run]
    store.flush()
    for run in together:
        assert_holds(store, run)


def test_threads_may_record_runs_at_once(make_store: StoreMaker) -> None:
    store = make_store()
    runs = [[simple_run(20, seed=f"{one} {other}") for other in range(6)] for one in range(4)]
    threads = [
        threading.Thread(target=_insert_all, args=(store, list(chain.from_iterable(of_thread))))
        for of_thread in runs
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store.flush()
    for run in chain.from_iterable(runs):
        assert_holds(store, run)


def _insert_all(store: Writes, run: Run) -> None:
    for name, document in run:
        store.insert(name, document)


def test_two_runs_may_share_a_resource(make_store: StoreMaker) -> None:
    store = make_store()
    one, other = (_run_with_resource(number) for number in (1, 2))
    record(store, one + other)
    assert_holds(store, one)
    assert_holds(store, other)


def _run_with_resource(number: int) -> Run:
    run = RunBuilder(f"sharing {number}")
    resource = run.resource(uid="shared")
    run.datum(resource, number, frame=number)
    run.stop()
    return run.documents


def test_two_runs_may_share_the_uid_of_a_descriptor(make_store: StoreMaker) -> None:
    store = make_store()
    one, other = (_run_with_descriptor(number) for number in (1, 2))
    record(store, one + other)
    assert_holds(store, one)
    assert_holds(store, other)


def _run_with_descriptor(number: int) -> Run:
    run = RunBuilder(f"sharing {number}")
    descriptor = run.descriptor({"x": 0}, uid="shared")
    run.event(descriptor, {"x": number})
    run.stop()
    return run.documents


def test_a_second_store_sees_what_the_first_one_recorded(make_store: StoreMaker) -> None:
    first = make_store()
    second = make_store.reopen(first)
    run = external_run(seed="seen")
    record(first, run[:5])
    assert second.uids() == uids_in(run)
    version = second.version(run[0][1]["uid"])
    record(first, run[5:])
    assert second.version(run[0][1]["uid"]) > version
    assert_holds(second, run)


def test_a_run_that_one_store_began_another_may_finish(make_store: StoreMaker) -> None:
    run = external_run(seed="begun and finished")
    for cut in range(1, len(run)):
        first = make_store()
        record(first, run[:cut])
        second = make_store.reopen(first)
        record(second, run[cut:])
        assert_holds(first, run)
        assert_holds(second, run)


def test_what_is_read_belongs_to_the_reader(make_store: StoreMaker) -> None:
    store, run = make_store(), [*array_run(), *external_run(), *stream_datum_run()]
    record(store, run)
    for uid in uids_in(run):
        for _, document in given_back(store, uid):
            scramble(document)
        for descriptor in store.descriptors(uid):
            for column in store.columns(uid, descriptor["uid"]).columns.values():
                scramble(column.to_pylist())
                scramble(column.to_numpy())
    assert_holds(store, run)


@every_packing
@pytest.mark.parametrize("make", [array_run, external_run, grid_run, every_type_run])
def test_what_was_inserted_belongs_to_the_caller(
    make_store: StoreMaker, make: Callable[[], Run], pack: Callable[[Run], Run]
) -> None:
    store = make_store()
    for name, document in pack(make()):
        insert(store, [(name, document)])
        scramble(document)
    store.flush()
    assert_holds(store, make())


def scramble(value: Any) -> None:
    """Change whatever can be changed in a value, deep down."""
    match value:
        case dict():
            for inner in value.values():
                scramble(inner)
            value.clear()
        case list():
            for inner in value:
                scramble(inner)
            value.append("scrambled")
        case np.ndarray() if value.dtype == object:
            for inner in value.flat:
                scramble(inner)
        case np.ndarray() if value.flags.writeable:
            value[...] = np.zeros((), value.dtype)


# -- which Runs, and in which order ----------------------------------------------------------------

TIMES: tuple[tuple[str, Any], ...] = (
    ("text", "yesterday"),
    ("early", TIME - 0.5),
    ("nan", math.nan),
    ("integer", int(TIME)),
    ("float of the same time", TIME),
    ("none", None),
    ("late", TIME + 0.25),
    ("missing", ABSENT),
    ("numpy", np.float64(TIME + 0.125)),
)
"""Times of Run Starts, in the order in which the Runs are inserted."""

NEWEST_FIRST = [
    "late",
    "numpy",
    "float of the same time",
    "integer",
    "early",
    "missing",
    "none",
    "nan",
    "text",
]


def _timed_store(make_store: StoreMaker) -> Any:
    store = make_store()
    for uid, time in TIMES:
        start = {"uid": uid} if time is ABSENT else {"uid": uid, "time": time}
        record(store, [("start", start)])
    return store


def test_the_newest_run_comes_first(make_store: StoreMaker) -> None:
    store = _timed_store(make_store)
    assert store.uids() == NEWEST_FIRST
    assert make_store.reopen(store).uids(Order.NEWEST_FIRST) == NEWEST_FIRST


def test_the_oldest_run_comes_first_where_asked(make_store: StoreMaker) -> None:
    store = _timed_store(make_store)
    assert store.uids(Order.OLDEST_FIRST) == NEWEST_FIRST[::-1]


@pytest.mark.parametrize("order", Order)
def test_runs_are_listed_page_by_page(make_store: StoreMaker, order: Order) -> None:
    store = _timed_store(make_store)
    listed = store.uids(order)
    for limit in (0, 1, 4, len(listed), 100, None):
        assert store.uids(order, limit=limit) == listed[:limit]
        for place, uid in enumerate(listed):
            assert store.uids(order, after=uid, limit=limit) == listed[place + 1 :][:limit]


def test_runs_are_counted(make_store: StoreMaker) -> None:
    store = make_store()
    for number in range(5):
        assert store.count() == number
        record(store, simple_run(1, seed=f"counted {number}"))
    assert store.count() == 5
    assert make_store.reopen(store).count() == 5


def test_starts_and_stops_come_in_the_order_of_the_uids(make_store: StoreMaker) -> None:
    store = make_store()
    stopped = simple_run(1, seed="stopped")
    going_on = simple_run(1, seed="going on", stop=False)
    twice = two_stops_run()
    record(store, stopped + going_on + twice)
    uids = [run[0][1]["uid"] for run in (twice, stopped, going_on, twice)]
    starts = [run[0][1] for run in (twice, stopped, going_on, twice)]
    assert_identical(starts, store.run_starts(uids))
    stops = [twice[-1][1], stopped[-1][1], None, twice[-1][1]]
    assert_identical(stops, store.run_stops(uids))


def test_a_superseded_stop_is_another_document(make_store: StoreMaker) -> None:
    store, run = make_store(), two_stops_run()
    record(store, run)
    ((_, name, document),) = store.other_documents(run[0][1]["uid"])
    assert_identical(run[-2], (name, document))


FOUND: tuple[tuple[str | int, list[str]], ...] = (
    ("abc", ["abc"]),
    ("ab", ["abx", "abcd", "abc"]),
    ("abcd", ["abcd"]),
    ("abcde", []),
    ("AB", ["ABC"]),
    ("a%", ["a%b"]),
    ("%", []),
    ("_", []),
    ("a*", []),
    ("[a]", []),
    ("7", ["7"]),
    (7, ["abx", "abc"]),
    (8, ["ABC"]),
    (9, []),
)


@pytest.mark.parametrize(("key", "uids"), FOUND)
def test_a_run_is_found_by_what_a_person_says(
    make_store: StoreMaker, key: str | int, uids: list[str]
) -> None:
    store = make_store()
    scan_ids = {"abc": 7, "abcd": "7", "ABC": 8, "a%b": None, "7": 70, "abx": 7}
    for number, (uid, scan_id) in enumerate(scan_ids.items()):
        record(store, [("start", {"uid": uid, "time": TIME + number, "scan_id": scan_id})])
    assert store.find(key, 10) == uids
    assert store.find(key, 1) == uids[:1]


def test_only_runs_that_are_shown_are_found(make_store: StoreMaker) -> None:
    store = make_store()
    record(store, simple_run(1, seed="hidden", scan_id=5, time=TIME + 9))
    shown = simple_run(1, seed="shown", scan_id=5, sample="quartz")
    record(store, shown)
    assert store.where(parse({"sample": "quartz"})).find(5, 10) == uids_in(shown)


UNKNOWN_RUN: dict[str, Callable[[RunStore, str], Any]] = {
    "run_starts": lambda store, uid: store.run_starts([uid]),
    "run_stops": lambda store, uid: store.run_stops([uid]),
    "version": lambda store, uid: store.version(uid),
    "stream_names": lambda store, uid: store.stream_names(uid),
    "descriptors": lambda store, uid: store.descriptors(uid),
    "event_count": lambda store, uid: store.event_count(uid, "any"),
    "columns": lambda store, uid: store.columns(uid, "any"),
    "resources": lambda store, uid: store.resources(uid),
    "datums": lambda store, uid: store.datums(uid, "any"),
    "resource_of": lambda store, uid: store.resource_of(uid, "any/0"),
    "stream_resources": lambda store, uid: store.stream_resources(uid),
    "stream_datums": lambda store, uid: store.stream_datums(uid),
    "other_documents": lambda store, uid: store.other_documents(uid),
}


@pytest.mark.parametrize("method", UNKNOWN_RUN)
def test_a_run_that_is_not_there_is_not_found(make_store: StoreMaker, method: str) -> None:
    store = make_store()
    record(store, simple_run(1))
    with pytest.raises(RunNotFoundError, match="not-there"):
        UNKNOWN_RUN[method](store, "not-there")


# -- searching -------------------------------------------------------------------------------------


def _searchable(run: Run) -> RunDocuments:
    stops = [document for name, document in run if name == "stop"]
    return RunDocuments(
        run[0][1],
        stops[-1] if stops else None,
        [document for name, document in run if name == "descriptor"],
    )


QUERIES: tuple[Document, ...] = (
    {},
    {"scan_id": 1},
    {"scan_id": True},
    {"scan_id": None},
    {"scan_id": math.nan},
    {"scan_id": 2**80},
    {"scan_id": {"$gt": 2}},
    {"scan_id": {"$gte": 2**53, "$lt": 2**63}},
    {"scan_id": {"$lt": "z"}},
    {"scan_id": {"$ne": 3}},
    {"scan_id": {"$exists": False}},
    {"plan_name": {"$in": ["scan", "count", None]}},
    {"plan_name": {"$nin": ["scan", "count"]}},
    {"plan_name": {"$regex": "(?i)^SC"}},
    {"plan_name": {"$not": {"$regex": "scan"}}},
    {"plan_name": {"$type": "null"}},
    {"sample.name": "iron oxide"},
    {"sample": {"name": "iron oxide"}},
    {"sample.mass": {"$lte": 1}},
    {"motors": "x"},
    {"motors": ["x", "y"]},
    {"motors": {"$size": 2}},
    {"motors": {"$all": ["x", "y"]}},
    {"history": {"$elemMatch": {"n": {"$gt": 1}, "ok": {"$ne": None}}}},
    {"history.n": 5},
    {"history.n": {"$mod": [2, 1]}},
    {"tags.0": "α"},
    {"stop.exit_status": "abort"},
    {"stop.exit_status": {"$exists": False}},
    {"stop.num_events.primary": {"$gt": 10**19}},
    {"stop": {"$exists": True}},
    {"descriptors.name": "baseline"},
    {"descriptors.data_keys.x.dtype": "number"},
    {"descriptors": {"$size": 2}},
    {"$text": {"$search": "iron"}},
    {"$text": {"$search": '"iron oxide" -rust'}},
    {"$or": [{"scan_id": 1}, {"stop.exit_status": "fail"}]},
    {"$nor": [{"scan_id": {"$gt": 1}}, {"plan_name": "scan"}]},
    {"$and": [{"motors": {"$exists": True}}, {"scan_id": {"$type": "int"}}]},
)


def test_a_search_finds_what_the_query_means(make_store: StoreMaker) -> None:
    store, wanted = _searched_store(make_store)
    for query in QUERIES:
        node = parse(query)
        assert store.where(node).uids() == wanted(query), query
        assert store.where(node).count() == len(wanted(query)), query
    assert 0 < len(wanted({"scan_id": {"$gt": 2}})) < store.count()


def test_any_search_finds_what_the_query_means(make_store: StoreMaker) -> None:
    store, wanted = _searched_store(make_store)

    @examples(300)
    @given(strategies.queries())
    def agrees(query: Document) -> None:
        assert store.where(parse(query)).uids() == wanted(query)

    agrees()


def test_a_search_within_a_search_finds_what_both_mean(make_store: StoreMaker) -> None:
    store, wanted = _searched_store(make_store)

    @examples(50)
    @given(strategies.queries(), strategies.queries())
    def agrees(one: Document, other: Document) -> None:
        view = store.where(parse(one)).where(parse(other))
        assert view.uids() == wanted({"$and": [one, other]})
        assert view.count() == len(view.uids())

    agrees()


def _searched_store(make_store: StoreMaker) -> tuple[Any, Callable[[Document], list[str]]]:
    """Return a store of varied Runs, and a function that says what a query must find in it."""
    store = make_store()
    runs = {run[0][1]["uid"]: _searchable(run) for run in varied_runs()}
    for run in varied_runs():
        record(store, run)
    listed = store.uids()
    assert sorted(listed) == sorted(runs)
    return store, lambda query: [uid for uid in listed if matches(parse(query), runs[uid])]


@pytest.mark.parametrize("order", Order)
def test_found_runs_are_listed_page_by_page(make_store: StoreMaker, order: Order) -> None:
    store, _ = _searched_store(make_store)
    view = store.where(parse({"scan_id": {"$type": "number"}}))
    listed = view.uids(order)
    assert len(listed) > 4
    for place, uid in enumerate(listed):
        assert view.uids(order, after=uid) == listed[place + 1 :]
        assert view.uids(order, after=uid, limit=2) == listed[place + 1 : place + 3]


def test_a_search_finds_runs_that_come_later(make_store: StoreMaker) -> None:
    store = make_store()
    aborted = store.where(parse({"stop.exit_status": "abort"}))
    with_monitor = store.where(parse({"descriptors.name": "monitor"}))
    run = RunBuilder("found later")
    record(store, run.documents)
    assert aborted.uids() == with_monitor.uids() == []
    run.descriptor({"x": 0}, "monitor")
    record(store, run.documents[1:])
    assert with_monitor.uids() == [run.uid]
    run.stop(exit_status="abort")
    record(store, run.documents[2:])
    assert aborted.uids() == [run.uid]
    assert make_store.reopen(store).where(parse({"stop.exit_status": "abort"})).count() == 1


def test_a_search_knows_only_the_last_stop(make_store: StoreMaker) -> None:
    store, run = make_store(), two_stops_run()
    record(store, run)
    assert store.where(parse({"stop.exit_status": "fail"})).uids() == uids_in(run)
    assert store.where(parse({"stop.exit_status": "success"})).uids() == []


def test_a_found_run_is_read_like_any_other(make_store: StoreMaker) -> None:
    store, run = make_store(), external_run()
    record(store, run)
    record(store, simple_run(1))
    view = store.where(parse({"scan_id": run[0][1]["scan_id"]}))
    assert view.uids() == uids_in(run)
    assert_same_documents(run, given_back(view, view.uids()[0]))


@pytest.mark.parametrize("method", UNKNOWN_RUN)
def test_a_run_that_is_not_shown_is_not_there(make_store: StoreMaker, method: str) -> None:
    store, run = make_store(), simple_run(1)
    record(store, run)
    with pytest.raises(RunNotFoundError):
        UNKNOWN_RUN[method](store.where(parse({"scan_id": "another"})), run[0][1]["uid"])


# -- the documents of a Run ------------------------------------------------------------------------


def test_streams_are_named_in_the_order_of_their_first_descriptors(make_store: StoreMaker) -> None:
    store = make_store()
    run = RunBuilder("stream names")
    for name in ("primary", "baseline", None, "a", "baseline", "Ä\0", "primary"):
        run.descriptor({"x": 0}, name)
    record(store, run.documents)
    assert store.stream_names(run.uid) == ["primary", "baseline", "a", "Ä\0"]


def test_a_descriptor_without_a_name_is_of_the_primary_stream(make_store: StoreMaker) -> None:
    store, run = make_store(), unnamed_descriptor_run()
    record(store, run)
    assert store.stream_names(run[0][1]["uid"]) == ["primary"]
    assert "name" not in store.descriptors(run[0][1]["uid"])[0]


@every_packing
def test_documents_keep_their_order_of_arrival(
    make_store: StoreMaker, pack: Callable[[Run], Run]
) -> None:
    store = make_store()
    several, streaming = several_descriptors_run(), stream_datum_run()
    record(store, pack(several) + pack(streaming))
    uid = several[0][1]["uid"]
    assert _uids(store.descriptors(uid)) == uids_of(several, "descriptor")
    uid = streaming[0][1]["uid"]
    assert _uids(store.stream_resources(uid)) == uids_of(streaming, "stream_resource")
    assert _uids(store.stream_datums(uid)) == uids_of(streaming, "stream_datum")


def _uids(documents: Iterable[Document]) -> list[str]:
    return [document["uid"] for document in documents]


@every_packing
def test_events_are_counted_by_descriptor(
    make_store: StoreMaker, pack: Callable[[Run], Run]
) -> None:
    store = make_store()
    for run in (several_descriptors_run(7), grid_run(), rewound_run(), simple_run(0)):
        record(store, pack(run))
        uid = run[0][1]["uid"]
        for descriptor, events in events_by_descriptor(run).items():
            assert store.event_count(uid, descriptor) == len(events)
            assert store.columns(uid, descriptor).count == len(events)


def test_ordinals_tell_the_order_of_arrival_over_all_streams(make_store: StoreMaker) -> None:
    store, run = make_store(), several_descriptors_run(10)
    record(store, run[:7] + paged(run[7:], 3))
    uid = run[0][1]["uid"]
    arrived = []
    for descriptor in uids_of(run, "descriptor"):
        columns = store.columns(uid, descriptor, [("", "uid"), ORDINAL]).columns
        pair = columns[ORDINAL].to_pylist(), columns["", "uid"].to_pylist()
        arrived += zip(*pair, strict=True)
    assert [event for _, event in sorted(arrived)] == uids_of(run, "event")
    assert len(dict(arrived)) == len(arrived)


def test_a_version_grows_with_each_document(make_store: StoreMaker) -> None:
    for run in (external_run(), stream_datum_run(), in_pages(grid_run()), unknown_kinds_run()):
        store = make_store()
        record(store, run[:1])
        versions = [store.version(run[0][1]["uid"])]
        for item in run[1:]:
            record(store, [item])
            versions.append(store.version(run[0][1]["uid"]))
        assert versions == sorted(set(versions))


def test_a_version_stays_while_nothing_is_written(make_store: StoreMaker) -> None:
    store, run = make_store(), external_run()
    record(store, run)
    version = store.version(run[0][1]["uid"])
    given_back(store, run[0][1]["uid"])
    record(store, simple_run(2))
    assert store.version(run[0][1]["uid"]) == version
    assert make_store.reopen(store).version(run[0][1]["uid"]) == version


def test_documents_of_unknown_kinds_are_listed_with_their_ordinals(make_store: StoreMaker) -> None:
    store, run = make_store(), unknown_kinds_run()
    record(store, run)
    others = store.other_documents(run[0][1]["uid"])
    known = ("start", "descriptor", "event", "stop")
    assert_identical(
        [item for item in run if item[0] not in known],
        [(name, document) for _, name, document in others],
    )
    ordinals = [ordinal for ordinal, _, _ in others]
    assert ordinals == sorted(set(ordinals))


# -- columns ---------------------------------------------------------------------------------------


def _grid_store(make_store: StoreMaker) -> tuple[Any, str, str, list[Document]]:
    """Return a store of a grid in several pages, its uid, one descriptor and its Events."""
    store, run = make_store(), grid_run((4, 5), seed="columns")
    record(store, run[:8] + paged(run[8:], 6))
    uid = run[0][1]["uid"]
    descriptor = uids_of(run, "descriptor")[1]
    return store, uid, descriptor, events_by_descriptor(run)[descriptor]


def test_a_column_is_asked_for_by_group_and_name(make_store: StoreMaker) -> None:
    store, uid, descriptor, events = _grid_store(make_store)
    wanted = [("data", "fast"), ("timestamps", "slow"), ("", "time"), ("", "seq_num"), ("", "uid")]
    table = store.columns(uid, descriptor, wanted)
    assert table.count == len(events) == 20
    assert_identical(
        {
            ("data", "fast"): [event["data"]["fast"] for event in events],
            ("timestamps", "slow"): [event["timestamps"]["slow"] for event in events],
            ("", "time"): [event["time"] for event in events],
            ("", "seq_num"): [event["seq_num"] for event in events],
            ("", "uid"): [event["uid"] for event in events],
        },
        {key: column.to_pylist() for key, column in table.columns.items()},
    )


def test_keys_may_be_any_iterable_and_none_at_all(make_store: StoreMaker) -> None:
    store, uid, descriptor, events = _grid_store(make_store)
    table = store.columns(uid, descriptor, iter([("data", "fast")]))
    assert list(table.columns) == [("data", "fast")]
    assert store.columns(uid, descriptor, []) == Table(len(events), {})


def test_a_column_that_no_event_has_is_left_out(make_store: StoreMaker) -> None:
    store, uid, descriptor, events = _grid_store(make_store)
    wanted = [("data", "missing"), ("data", "slow"), ("filled", "slow"), ("data", "time")]
    table = store.columns(uid, descriptor, wanted)
    assert list(table.columns) == [("data", "slow")]
    assert table.count == len(events)


def test_rows_of_columns_are_those_of_the_slice(make_store: StoreMaker) -> None:
    store, uid, descriptor, events = _grid_store(make_store)
    values = [event["data"]["detector"] for event in events]
    bounds = st.none() | st.integers(-25, 25)

    @examples(150)
    @given(bounds, bounds)
    def agrees(start: int | None, stop: int | None) -> None:
        rows = slice(start, stop)
        table = store.columns(uid, descriptor, [("data", "detector"), ORDINAL], rows)
        assert table.count == len(values[rows])
        assert_identical(values[rows], table.columns["data", "detector"].to_pylist())
        assert len(table.columns[ORDINAL]) == len(values[rows])
        assert store.columns(uid, descriptor, [], rows).count == len(values[rows])

    agrees()


def test_a_key_that_some_events_lack_is_absent_in_their_rows(make_store: StoreMaker) -> None:
    store, run = make_store(), RunBuilder("absent")
    descriptor = run.descriptor({"x": 0.0, "y": 0})
    rows: list[Document] = [{"x": 0.5}, {"x": None, "y": 1}, {}, {"y": None}, {"x": 1.5, "y": 2}]
    for data in rows:
        run.event(descriptor, data)
    record(store, run.documents)
    columns = store.columns(run.uid, descriptor).columns
    assert columns["data", "x"].to_pylist() == [0.5, None, ABSENT, ABSENT, 1.5]
    assert columns["data", "y"].to_pylist() == [ABSENT, 1, ABSENT, None, 2]
    assert columns["timestamps", "y"].to_pylist()[0] is ABSENT
    assert_identical(
        np.array([0.5, math.nan, math.nan, math.nan, 1.5]), columns["data", "x"].to_numpy()
    )


def test_columns_hold_the_exact_values(make_store: StoreMaker) -> None:
    store, numbers = make_store(), count()

    @examples(150)
    @given(strategies.columns(max_size=10), st.sets(st.integers(0, 9)), st.integers(1, 5))
    def hold(values: list[Any], absent: set[int], rows: int) -> None:
        run = RunBuilder(f"column {next(numbers)}")
        descriptor = run.descriptor({"x": 0})
        for row, value in enumerate(values):
            run.event(descriptor, {} if row in absent else {"x": value})
        half = len(run.documents) // 2
        record(store, run.documents[:half] + numpy_paged(run.documents[half:], rows))
        expected = [ABSENT if row in absent else value for row, value in enumerate(values)]
        assert store.event_count(run.uid, descriptor) == len(values)
        column = store.columns(run.uid, descriptor, [("data", "x")]).columns.get(("data", "x"))
        if column is None:
            assert all(value is ABSENT for value in expected)
        else:
            assert len(column) == len(expected)
            assert_identical(expected, column.to_pylist())
            # The array does not depend on the parts that a store keeps a column in.
            assert_identical(Column.of(column.to_pylist()).to_numpy(), column.to_numpy())

    hold()


ARRAYS: tuple[tuple[list[Any], np.ndarray], ...] = (
    ([0.5, -0.0, math.nan], np.array([0.5, -0.0, math.nan])),
    ([1, 2, 3], np.array([1, 2, 3])),
    ([1, 2.5, 3], np.array([1.0, 2.5, 3.0])),
    ([True, False, True], np.array([True, False, True])),
    (["a", "", "äö"], np.array(["a", "", "äö"])),
    ([0.5, None, 1.5], np.array([0.5, math.nan, 1.5])),
    ([[1, 2], [3, 4], [5, 6]], np.array([[1, 2], [3, 4], [5, 6]])),
    ([np.zeros((2, 2), "<u2")] * 3, np.zeros((3, 2, 2), "<u2")),
    ([np.datetime64(1, "s")] * 3, np.array([1, 1, 1], "M8[s]")),
)


@pytest.mark.parametrize(("values", "array"), ARRAYS)
def test_a_column_becomes_the_array_that_numpy_would_make(
    make_store: StoreMaker, values: list[Any], array: np.ndarray
) -> None:
    store, run = make_store(), RunBuilder("to numpy")
    descriptor = run.descriptor({"x": values[0]})
    for value in values:
        run.event(descriptor, {"x": value})
    record(store, run.documents)
    (column,) = store.columns(run.uid, descriptor, [("data", "x")]).columns.values()
    assert_identical(array, column.to_numpy())


# -- external data ---------------------------------------------------------------------------------


@every_packing
def test_datums_are_kept_by_resource(make_store: StoreMaker, pack: Callable[[Run], Run]) -> None:
    store, run = make_store(), external_run()
    record(store, pack(run))
    uid = run[0][1]["uid"]
    for resource in uids_of(run, "resource"):
        table = store.datums(uid, resource)
        assert table.count == 4
        ids = [f"{resource}/{number}" for number in range(4)]
        assert table.columns["", "datum_id"].to_pylist() == ids
        assert table.columns["datum_kwargs", "frame"].to_pylist() == [0, 1, 2, 3]


@every_packing
def test_the_resource_of_a_datum_is_known(
    make_store: StoreMaker, pack: Callable[[Run], Run]
) -> None:
    store, run, other = make_store(), external_run(), external_run(seed="of another Run")
    record(store, pack(run) + pack(other))
    uid = run[0][1]["uid"]
    for name, datum in run:
        if name == "datum":
            assert store.resource_of(uid, datum["datum_id"]) == datum["resource"]
    assert store.resource_of(uid, "not-there") is None
    assert store.resource_of(uid, first_of(other, "datum")["datum_id"]) is None


def test_a_resource_without_datums_has_an_empty_table(make_store: StoreMaker) -> None:
    store, run = make_store(), RunBuilder("no datums")
    resource = run.resource()
    record(store, run.documents)
    assert store.datums(run.uid, resource).count == 0
    assert _uids(store.resources(run.uid)) == [resource]


def test_a_resource_that_names_no_run_belongs_to_the_one_that_goes_on(
    make_store: StoreMaker,
) -> None:
    store, before, run = make_store(), simple_run(1), legacy_external_run()
    record(store, before)
    record(store, run)
    assert_holds(store, before)
    assert_holds(store, run)


# -- inserting again -------------------------------------------------------------------------------

_AGAIN = [name for name in RUNS if name != "children first"]
"""A Run that is inserted again is known by its Run Start, which must come first for that."""


@pytest.mark.parametrize("name", _AGAIN)
def test_a_run_may_be_inserted_twice(make_store: StoreMaker, name: str) -> None:
    store, run = make_store(), RUNS[name]()
    record(store, run)
    record(store, run)
    assert_holds(store, run)
    again = make_store.reopen(store)
    record(again, run)
    assert_holds(again, run)
    assert again.count() == len(uids_in(run))


@every_packing
@pytest.mark.parametrize("make", [external_run, several_descriptors_run, stream_datum_run])
def test_a_run_that_broke_off_is_completed_by_inserting_it_again(
    make_store: StoreMaker, make: Callable[..., Run], pack: Callable[[Run], Run]
) -> None:
    store = make_store()
    for cut in range(len(make())):
        run = make(seed=f"broken off {cut}")
        record(store, run[:cut])
        record(make_store.reopen(store) if cut % 2 else store, pack(run))
        assert_holds(store, run)


@pytest.mark.parametrize("make", [grid_run, external_run, several_descriptors_run])
def test_a_run_may_be_inserted_again_in_another_packing(
    make_store: StoreMaker, make: Callable[[], Run]
) -> None:
    store, run = make_store(), make()
    for pack in PACKINGS:
        record(store, pack(run))
        assert_holds(store, run)


@pytest.mark.parametrize("make", [grid_run, external_run, several_descriptors_run, every_type_run])
def test_richer_types_of_the_same_values_are_the_same_document(
    make_store: StoreMaker, make: Callable[[], Run]
) -> None:
    run = make()
    rich = [(name, enriched(document)) for name, document in run]
    plain_first, rich_first = make_store(), make_store()
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConflictWarning)
        warnings.simplefilter("ignore", CoercionWarning)  # an Enum is stored as its value
        _insert_all(plain_first, [*run, *rich])
        _insert_all(rich_first, [*rich, *run])
    plain_first.flush()
    rich_first.flush()
    assert_holds(plain_first, run)
    assert rich_first.problems() == []
    for descriptor, events in events_by_descriptor(run).items():
        assert rich_first.event_count(run[0][1]["uid"], descriptor) == len(events)


def enriched(value: Any) -> Any:
    """Return an equal value of richer types: tuples, numpy scalars, Enums, other mappings."""
    match value:
        case dict():
            return MappingProxyType(
                OrderedDict((key, enriched(inner)) for key, inner in value.items())
            )
        case list():
            return tuple(map(enriched, value))
    if type(value) is str and value:
        return Enum("Text", {"ONLY": value}, type=str).ONLY  # type: ignore[attr-defined]
    if type(value) is int and abs(value) < 2**63:
        return np.int64(value)
    return {float: np.float64, bool: np.bool_}.get(type(value), _same)(value)


def _same(value: Any) -> Any:
    return value


# -- conflicts -------------------------------------------------------------------------------------

CONFLICTS: tuple[tuple[str, Callable[[], Run]], ...] = (
    ("start", external_run),
    ("stop", external_run),
    ("descriptor", external_run),
    ("resource", external_run),
    ("datum", external_run),
    ("event", external_run),
    ("stream_resource", stream_datum_run),
    ("stream_datum", stream_datum_run),
    ("calibration", lambda: [item for item in unknown_kinds_run() if item[0] != "remark"]),
)

every_conflict = pytest.mark.parametrize(
    ("name", "make"), CONFLICTS, ids=[name for name, _ in CONFLICTS]
)


def contradicted(run: Run, name: str) -> tuple[Run, Document]:
    """Return the Run with the first document of a kind changed, and that document."""
    changed = {**first_of(run, name), "note": "This was not said before."}
    place = [kind for kind, _ in run].index(name)
    return [*run[:place], (name, changed), *run[place + 1 :]], changed


@every_conflict
def test_a_document_that_contradicts_is_kept_aside(
    make_store: StoreMaker, name: str, make: Callable[[], Run]
) -> None:
    store, run = make_store(), make()
    record(store, run)
    again, changed = contradicted(run, name)
    with pytest.warns(ConflictWarning, match=_uid_of(name, changed)):
        _insert_all(store, again)
    store.flush()
    for either in (store, make_store.reopen(store)):
        assert_same_documents(run, given_back(either, run[0][1]["uid"]))
        problem = _only_problem(either)
        _assert_problem(problem, "conflict", name, changed)
        assert problem.run == run[0][1]["uid"]


def _only_problem(store: Writes) -> Problem:
    problems = store.problems()
    assert len(problems) == 1, problems
    return problems[0]


def _assert_problem(problem: Problem, kind: str, name: str, document: Mapping[str, Any]) -> None:
    assert problem.kind == kind
    assert problem.name == name
    assert problem.uid == _uid_of(name, document)
    assert problem.uid in problem.reason
    assert_identical(document, problem.document)


def _uid_of(name: str, document: Mapping[str, Any]) -> str:
    return document["datum_id" if name == "datum" else "uid"]


@every_conflict
def test_a_document_that_contradicts_raises_where_asked(
    make_store: StoreMaker, name: str, make: Callable[[], Run]
) -> None:
    store, run = make_store(), make()
    record(store, run)
    again, changed = contradicted(run, name)
    for kind, document in again:
        if document is changed:
            with pytest.raises(ConflictError, match=_uid_of(name, changed)):
                store.insert(kind, document, on_conflict="raise")
        else:
            store.insert(kind, document, on_conflict="raise")
    store.flush()
    assert_holds(store, run)


@every_conflict
def test_a_contradiction_is_told_once(
    make_store: StoreMaker, name: str, make: Callable[[], Run]
) -> None:
    store, run = make_store(), make()
    record(store, run)
    again, changed = contradicted(run, name)
    with pytest.warns(ConflictWarning) as told:
        _insert_all(store, again + again)
    store.flush()
    assert len(told) == 1
    problem = _only_problem(store)
    _assert_problem(problem, "conflict", name, changed)


@pytest.mark.parametrize("pack", [in_pages, bulk])
def test_a_row_of_a_page_that_contradicts_is_kept_aside_alone(
    make_store: StoreMaker, pack: Callable[[Run], Run]
) -> None:
    store, run = make_store(), several_descriptors_run(8)
    record(store, run)
    again = copy.deepcopy(run)
    first_of(again, "event")["data"]["x"] = "changed"
    with pytest.warns(ConflictWarning):
        _insert_all(store, pack(again))
    store.flush()
    assert_same_documents(run, given_back(store, run[0][1]["uid"]))
    problem = _only_problem(store)
    _assert_problem(problem, "conflict", "event", first_of(again, "event"))


@pytest.mark.parametrize(
    ("stored", "other"),
    [(1, 1.0), (1, True), (0.0, -0.0), ("1", 1), (None, ""), ("a", "a\0"), (b"a", "a"), ([], {})],
)
def test_almost_the_same_value_contradicts(make_store: StoreMaker, stored: Any, other: Any) -> None:
    store = make_store()
    start = {"uid": "a", "time": TIME, "value": stored}
    record(store, [("start", start)])
    with pytest.warns(ConflictWarning, match="a"):
        store.insert("start", {**start, "value": other})
    assert_identical([start], store.run_starts(["a"]))


# -- orphans ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["event", "datum", "descriptor", "resource", "stop"])
def test_a_document_without_its_parent_is_a_problem_until_that_comes(
    make_store: StoreMaker, name: str
) -> None:
    store, run = make_store(), external_run()
    child = first_of(run, name)
    record(store, [(name, child)])
    for either in (store, make_store.reopen(store)):
        problem = _only_problem(either)
        _assert_problem(problem, "orphan", name, child)
    record(make_store.reopen(store), [item for item in run if item[1] is not child])
    assert_holds(store, _with_last_stop(run))
    assert_holds(make_store.reopen(store), run)


def _with_last_stop(run: Run) -> Run:
    return [item for item in run if item[0] != "stop"] + [item for item in run if item[0] == "stop"]


@pytest.mark.parametrize("pack", [in_pages, in_numpy_pages, bulk])
def test_pages_without_their_parents_are_adopted(
    make_store: StoreMaker, pack: Callable[[Run], Run]
) -> None:
    store, run = make_store(), children_first_run()
    *children, start = pack(run)
    record(store, children)
    assert store.count() == 0
    orphans = sorted((problem.name, problem.uid) for problem in store.problems())
    assert orphans == sorted(
        (name, _uid_of(name, document)) for name, document in run if name != "start"
    )
    record(make_store.reopen(store), [start])
    assert_holds(store, run)


def test_documents_may_come_in_any_order(make_store: StoreMaker) -> None:
    @examples(30)
    @given(st.randoms(use_true_random=False))
    def hold(random: Random) -> None:
        run = external_run(2)
        random.shuffle(run)
        with make_store.for_one_example() as make:
            store = make()
            record(store, run)
            assert_holds(store, run)

    hold()


def test_an_unknown_kind_of_no_run_is_a_problem(make_store: StoreMaker) -> None:
    store = make_store()
    remark = {"uid": "r", "text": "whose?"}
    record(store, simple_run(1))
    record(store, [("remark", remark)])
    problem = _only_problem(store)
    _assert_problem(problem, "orphan", "remark", remark)
    assert problem.run is None


# -- what is no document ---------------------------------------------------------------------------

_ITSELF: Document = {"uid": "itself"}
_ITSELF["itself"] = _ITSELF

_ROW: Document = {"seq_num": [3], "time": [TIME], "data": {"x": [1]}, "timestamps": {"x": [TIME]}}

NO_DOCUMENTS: dict[str, tuple[Any, Any]] = {
    "None": ("event", None),
    "a list": ("start", [1]),
    "a text": ("start", "uid"),
    "a name that is none": (None, {"uid": "a"}),
    "an empty start": ("start", {}),
    "a start without uid": ("start", {"time": TIME, "scan_id": 1}),
    "a start whose uid is None": ("start", {"uid": None, "time": TIME}),
    "a start whose uid is a number": ("start", {"uid": 5, "time": TIME}),
    "a stop without uid": ("stop", {"run_start": "a"}),
    "a descriptor without uid": ("descriptor", {"run_start": "a", "data_keys": {}}),
    "an event without uid": ("event", {"descriptor": "shared", "data": {}, "timestamps": {}}),
    "a resource without uid": ("resource", {"run_start": "a"}),
    "a datum without datum_id": ("datum", {"uid": "d", "resource": "r", "datum_kwargs": {}}),
    "a stream datum without uid": ("stream_datum", {"stream_resource": "r"}),
    "a page that is none": ("event_page", 5),
    "a page without uids": ("event_page", {"descriptor": "shared", **_ROW}),
    "a page whose uid is none": ("event_page", {"descriptor": "shared", **_ROW, "uid": "e"}),
    "a page of unequal columns": (
        "event_page",
        {"descriptor": "shared", **_ROW, "uid": ["e"], "data": {"x": [1, 2]}},
    ),
    "a page with a uid that is none": (
        "event_page",
        {"descriptor": "shared", **_ROW, "uid": [None]},
    ),
    "a datum page without ids": ("datum_page", {"resource": "r", "datum_kwargs": {}}),
    "a bulk of a number": ("bulk_events", {"primary": 5}),
    "a bulk of numbers": ("bulk_events", {"primary": [5]}),
    "a bulk_datum without ids": ("bulk_datum", {"resource": "r", "datum_kwarg_list": []}),
    "a start that contains itself": ("start", _ITSELF),
}


@pytest.mark.parametrize(("name", "document"), NO_DOCUMENTS.values(), ids=NO_DOCUMENTS)
def test_what_is_no_document_is_refused_and_nothing_is_lost(
    make_store: StoreMaker, name: Any, document: Any
) -> None:
    store, run = make_store(), RunBuilder("refused")
    descriptor = run.descriptor({"x": 0}, uid="shared")
    run.event(descriptor, {"x": 1})
    run.event(descriptor, {"x": 2})
    run.stop()
    insert(store, run.documents[:3])
    with pytest.raises(InvalidDocumentError):
        store.insert(name, document)
    record(store, run.documents[3:])
    for either in (store, make_store.reopen(store)):
        assert_holds(either, run.documents)
        assert either.count() == 1


# -- closing ---------------------------------------------------------------------------------------


def test_a_closed_store_says_so(make_store: StoreMaker) -> None:
    store = make_store()
    record(store, simple_run(1))
    store.close()
    store.close()
    for use in (store.count, store.uids, lambda: store.insert("start", {"uid": "a"})):
        with pytest.raises(StoreClosedError):
            use()


def test_closing_stores_what_is_held(make_store: StoreMaker) -> None:
    if not make_store.lasting:
        pytest.skip("The Runs of this store end with it.")
    store, run = make_store(), external_run(20)
    insert(store, run)
    store.close()
    assert_holds(make_store.reopen(store), run)


__all__ = [name for name in dir() if name.startswith("test_")]  # pyright: ignore[reportUnsupportedDunderAll]
