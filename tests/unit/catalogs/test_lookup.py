"""How Runs are looked up, listed and searched in a catalog."""

import datetime
import operator
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from databroker.core import BlueskyRun
from databroker.errors import (
    AmbiguousUidError,
    DatabrokerError,
    DataKeyNotFoundError,
    InvalidLookupError,
    InvalidQueryError,
    InvalidSettingError,
    RunIndexError,
    RunNotFoundError,
    StreamNotFoundError,
)
from databroker.queries import TextQuery, TimeRange
from databroker.testing import documents as made_up
from databroker.testing.documents import TIME, Run
from databroker.v2 import Broker

MakeCatalog: TypeAlias = Callable[..., Broker]

UIDS = {
    "aaaa1111-0000-4000-8000-000000000001": 1,
    "abcd2222-0000-4000-8000-000000000002": 2,
    "abcd3333-0000-4000-8000-000000000003": 2,
    "12345678-0000-4000-8000-000000000004": 4,
    "ffff5555-0000-4000-8000-000000000005": 7,
}
"""The scan_id of each Run by its uid, oldest first."""

OLDEST, TWIN, OTHER_TWIN, DIGITS, NEWEST = UIDS


def start_only(uid: str, time: float, **metadata: Any) -> Run:
    return [("start", {"uid": uid, "time": time, **metadata})]


def five_runs() -> list[Run]:
    """Return five Runs, in another order than that of their times."""
    runs = [
        start_only(uid, TIME + place, scan_id=scan_id, plan_name="scan" if place % 2 else "count")
        for place, (uid, scan_id) in enumerate(UIDS.items())
    ]
    return [runs[place] for place in (1, 4, 0, 3, 2)]


def many_runs(count: int) -> list[Run]:
    return [start_only(f"run-{n:04}", TIME + n, scan_id=n) for n in range(count)]


@pytest.fixture
def catalog(make_catalog: MakeCatalog) -> Broker:
    return make_catalog(five_runs(), name="mine")


# -- one Run ---------------------------------------------------------------------------------------

FOUND = [
    (OLDEST, OLDEST),
    ("aaaa", OLDEST),
    ("f", NEWEST),
    ("abcd2", TWIN),
    (7, NEWEST),
    (2, OTHER_TWIN),
    (-1, NEWEST),
    (-5, OLDEST),
    ("7", NEWEST),
    ("-1", NEWEST),
    ("12345678", DIGITS),
    ("123", DIGITS),
    ("12345678-", DIGITS),
    (7.0, NEWEST),
    (True, OLDEST),
    (np.int64(7), NEWEST),
    (np.int8(-2), DIGITS),
    (np.uint16(4), DIGITS),
    (np.float64(4.0), DIGITS),
    (np.str_("ffff"), NEWEST),
]
"""What is asked for, and the Run that it means."""


@pytest.mark.parametrize(("key", "uid"), FOUND, ids=lambda value: repr(value)[:14])
def test_a_run_is_looked_up(catalog: Broker, key: Any, uid: str) -> None:
    run = catalog[key]

    assert type(run) is BlueskyRun
    assert run.uid == uid
    assert run is catalog[uid]
    assert key in catalog


NOT_FOUND: list[tuple[Any, type[DatabrokerError], str]] = [
    ("zz", RunNotFoundError, r"begins with 'zz' in <Intake catalog: mine>"),
    ("", AmbiguousUidError, r"partial uid ''"),
    ("AAAA", RunNotFoundError, r"'AAAA'"),
    ("abcd%", RunNotFoundError, r"'abcd%'"),
    ("abc_", RunNotFoundError, r"'abc_'"),
    ("aaaa*", RunNotFoundError, r"'aaaa\*'"),
    ("\x00", RunNotFoundError, r"begins with"),
    ("\ud800", RunNotFoundError, r"begins with"),
    ("99", RunNotFoundError, r"scan_id=99"),
    (99, RunNotFoundError, r"scan_id=99 in <Intake catalog: mine>.* -1 is the newest Run"),
    (0, RunNotFoundError, r"scan_id=0"),
    (False, RunNotFoundError, r"scan_id="),
    (2**80, RunNotFoundError, r"scan_id=1208925819614629174706176"),
    (-6, RunIndexError, r"only contains 5 runs"),
    (-(2**80), RunIndexError, r"only contains 5 runs"),
    ("-6", RunIndexError, r"only contains 5 runs"),
    ("abcd", AmbiguousUidError, f"partial uid 'abcd':\n{OTHER_TWIN}\n{TWIN}$"),
    (None, InvalidLookupError, r"uid \(a text\), by scan_id or by index .* got None"),
    (b"aaaa", InvalidLookupError, r"got b'aaaa'"),
    (1.5, InvalidLookupError, r"got 1\.5"),
    (float("nan"), InvalidLookupError, r"got nan"),
    (float("inf"), InvalidLookupError, r"got inf"),
    ({"uid": OLDEST}, InvalidLookupError, r"got {'uid'"),
    ((), InvalidLookupError, r"got \(\)"),
    (np.array([1, 2]), InvalidLookupError, r"got array"),
    (datetime.date(2020, 1, 1), InvalidLookupError, r"got datetime\.date"),
]
"""What is asked for, and the error that says why there is no such Run."""


@pytest.mark.parametrize(("key", "error", "message"), NOT_FOUND, ids=lambda value: repr(value)[:14])
def test_a_run_that_is_not_there_is_named_with_the_remedy(
    catalog: Broker, key: Any, error: type[DatabrokerError], message: str
) -> None:
    with pytest.raises(error, match=message):
        catalog[key]
    assert (key in catalog) is (error is AmbiguousUidError)


def test_an_ambiguous_uid_lists_the_newest_ten(make_catalog: MakeCatalog) -> None:
    catalog = make_catalog(many_runs(25))
    with pytest.raises(AmbiguousUidError) as caught:
        catalog["run"]
    listed = str(caught.value).splitlines()[1:]

    assert listed == [*(f"run-{n:04}" for n in range(24, 14, -1)), "…"]


def test_a_whole_uid_means_its_run_though_another_begins_with_it(make_catalog: MakeCatalog) -> None:
    catalog = make_catalog([start_only("abc", TIME), start_only("abcdef", TIME + 1)])

    assert catalog["abc"].uid == "abc"
    with pytest.raises(AmbiguousUidError):
        catalog["ab"]


def test_the_newest_run_has_the_latest_time_and_ties_go_by_insertion(
    make_catalog: MakeCatalog,
) -> None:
    times = {"early": 1.0, "late": 9.0, "first": 5.0, "second": 5, "never": "noon", "none": None}
    catalog = make_catalog([[("start", {"uid": uid, "time": time})] for uid, time in times.items()])

    assert list(catalog) == ["late", "second", "first", "early", "none", "never"]
    assert [run.uid for run in catalog[:]] == list(reversed(list(catalog)))


def test_looking_up_in_search_results_sees_only_them(catalog: Broker) -> None:
    scans = catalog.search({"plan_name": "scan"})

    assert scans[-1].uid == DIGITS
    assert scans["abcd"].uid == TWIN
    assert scans[2].uid == TWIN
    assert NEWEST not in scans
    with pytest.raises(RunNotFoundError, match=r"in <Intake catalog: search results>"):
        scans[NEWEST]
    with pytest.raises(RunIndexError, match="only contains 2 runs"):
        scans[-3]


# -- several Runs ----------------------------------------------------------------------------------

ALL = list(UIDS)

SLICES: list[tuple[slice, list[str]]] = [
    (slice(None), ALL),
    (slice(-2, None), ALL[-2:]),
    (slice(-50, None), ALL),
    (slice(-(2**80), None), ALL),
    (slice(-3, -1), ALL[-3:-1]),
    (slice(None, -3), ALL[:-3]),
    (slice(None, None, 2), ALL[::2]),
    (slice(-4, None, 2), ALL[-4::2]),
    (slice(None, None, -1), ALL[::-1]),
    (slice(-1, -4, -1), ALL[-1:-4:-1]),
    (slice(-3, 0), ALL[-3:]),
    (slice(0, None), ALL),
    (slice(np.int64(-2), None), ALL[-2:]),
]


@pytest.mark.parametrize(("key", "uids"), SLICES, ids=lambda value: str(value)[:40])
def test_a_slice_is_a_list_of_runs_in_order_of_time(
    catalog: Broker, key: slice, uids: list[str]
) -> None:
    assert [run.uid for run in catalog[key]] == uids


BOUNDS = st.none() | st.integers(-15, -1)


@given(st.builds(slice, BOUNDS, BOUNDS, st.none() | st.integers(-4, 4).filter(bool)))
def test_slices_are_those_of_a_list(key: slice) -> None:
    uids = [f"run-{n:04}" for n in range(10)]

    assert [run.uid for run in TEN[key]] == uids[key]


def catalog_in_memory(runs: list[Run]) -> Broker:
    catalog = Broker()
    for run in runs:
        for name, doc in run:
            catalog.insert(name, doc)
    return catalog


TEN = catalog_in_memory(many_runs(10))
"""A catalog of ten Runs; no test changes it."""


@pytest.mark.parametrize("key", [slice(1, None), slice(None, 3), slice(-3, 2)], ids=str)
def test_slices_that_count_from_the_oldest_are_refused(catalog: Broker, key: slice) -> None:
    with pytest.raises(InvalidSettingError, match=r"from the end, such as catalog\[-5:\]"):
        catalog[key]


@pytest.mark.parametrize("key", [slice("a", None), slice(1.5, None), slice(None, None, 0)], ids=str)
def test_slices_that_make_no_sense_are_refused(catalog: Broker, key: slice) -> None:
    with pytest.raises(DatabrokerError):
        catalog[key]


def test_a_list_gives_a_list_of_runs(catalog: Broker) -> None:
    assert [run.uid for run in catalog[[-1, "aaaa", 2, -1]]] == [NEWEST, OLDEST, OTHER_TWIN, NEWEST]
    assert [[run.uid for run in part] for part in catalog[[slice(-1, None), [7]]]] == [[NEWEST]] * 2
    assert catalog[[]] == []
    with pytest.raises(RunNotFoundError, match="'zz'"):
        catalog[[-1, "zz"]]


def test_a_tuple_leads_into_streams(make_catalog: MakeCatalog) -> None:
    catalog = make_catalog([made_up.simple_run(3, scan_id=7)])

    assert catalog[7,].uid == catalog[-1].uid
    assert catalog[7, "primary"] is catalog[-1].primary
    assert catalog[-1, "primary", "detector"].values.tolist() == [0, 1, 8]
    assert catalog[-1, "primary", "timestamps"].read()["motor"].shape == (3,)
    with pytest.raises(StreamNotFoundError, match=r"no stream 'zz'; its streams are: primary\."):
        catalog[-1, "zz"]
    with pytest.raises(DataKeyNotFoundError, match="'zz'"):
        catalog[-1, "primary", "zz"]


# -- listing ---------------------------------------------------------------------------------------


def test_many_runs_are_listed_newest_first(make_catalog: MakeCatalog) -> None:
    catalog = make_catalog(many_runs(230))
    newest_first = [f"run-{n:04}" for n in range(229, -1, -1)]

    assert len(catalog) == 230
    assert list(catalog) == list(catalog.keys()) == newest_first
    assert [run.uid for run in catalog.values()] == newest_first
    assert [(uid, run.uid) for uid, run in catalog.items()] == [(u, u) for u in newest_first]
    assert list(catalog.search({"scan_id": {"$lt": 201}})) == newest_first[29:]


def test_runs_that_come_while_a_catalog_is_listed_do_not_disturb(make_catalog: MakeCatalog) -> None:
    catalog = make_catalog(many_runs(120))
    listed = []
    for uid in catalog:
        listed.append(uid)
        if len(listed) == 50:
            catalog.insert("start", {"uid": "newer", "time": TIME + 1e6})
            catalog.insert("start", {"uid": "older", "time": TIME - 1e6})

    assert listed == [*(f"run-{n:04}" for n in range(119, -1, -1)), "older"]


def test_an_empty_catalog_lists_nothing(make_catalog: MakeCatalog) -> None:
    catalog = make_catalog()

    assert (len(catalog), bool(catalog), list(catalog), catalog[:], catalog[-5:]) == (
        0, False, [], [], []
    )  # fmt: skip
    with pytest.raises(RunIndexError, match="only contains 0 runs"):
        catalog[-1]


def test_a_catalog_with_runs_is_true(catalog: Broker) -> None:
    assert bool(catalog) is True
    assert bool(catalog.search({"plan_name": "nothing"})) is False


def test_names_are_completed(make_catalog: MakeCatalog) -> None:
    catalog = make_catalog([made_up.grid_run(), *many_runs(3)])
    run = catalog.search({"plan_name": "grid_scan"})[-1]

    assert catalog._ipython_key_completions_() == list(catalog)
    assert run._ipython_key_completions_() == ["baseline", "primary"]
    assert {"slow", "fast", "detector", "config"} <= set(run.primary._ipython_key_completions_())
    assert {"search", "insert", "v1", "root_map"} <= set(dir(catalog))
    assert {"baseline", "primary", "documents"} <= set(dir(run))


def test_only_streams_that_are_names_are_completed_after_a_dot() -> None:
    run = made_up.RunBuilder("names")
    for name in ("fine", "not fine", "class", "1st"):
        run.descriptor({"x": 0}, name)
    found = catalog_in_memory([run.documents])[-1]

    assert {"fine", "not fine", "class", "1st"} & set(dir(found)) == {"fine"}
    assert list(found) == ["fine", "not fine", "class", "1st"]
    assert list(found["not fine"]) == ["x"]


def test_runs_and_streams_are_attributes(catalog: Broker) -> None:
    assert catalog.ffff.uid == NEWEST
    assert catalog.aaaa1111 is catalog[OLDEST]
    assert not hasattr(catalog, "abcd")
    assert not hasattr(catalog, "zz")
    with pytest.raises(AttributeError, match="no attribute 'zz'"):
        operator.attrgetter("zz")(catalog)
    with pytest.raises(AttributeError, match="no attribute 'primary'"):
        operator.attrgetter("primary")(catalog[-1])


def test_a_method_wins_over_a_stream_of_its_name() -> None:
    run = made_up.RunBuilder("a method")
    run.event(run.descriptor({"x": 0}, "documents"), {"x": 1})
    found = catalog_in_memory([run.documents])[-1]

    assert [name for name, _ in found.documents(fill="no")] == ["start", "descriptor", "event_page"]
    assert found["documents"].read()["x"].values.tolist() == [1]


# -- search ----------------------------------------------------------------------------------------


class MyBroker(Broker):
    """A catalog of somebody else's class."""


def test_search_results_are_catalogs_of_the_same_kind(catalog: Broker) -> None:
    mine = MyBroker(
        store=catalog._store,
        handler_registry={"A": dict},
        root_map={"/old": "/new"},
        transforms={"start": dict},
        metadata={"beamline": 7},
    )
    found = mine.search({"plan_name": "count"}).search({"scan_id": {"$gt": 1}})

    assert type(found) is MyBroker
    assert found.name == "search results"
    assert dict(found.handler_registry) == {"A": dict}
    assert found.metadata == mine.metadata
    mine.register_handler("B", list)
    mine.root_map["/other"] = "/place"
    assert dict(found.handler_registry) == {"A": dict, "B": list}
    assert found.root_map == {"/old": "/new", "/other": "/place"}


def test_searches_are_chained(catalog: Broker) -> None:
    counts = catalog.search({"plan_name": "count"})

    assert list(counts) == [NEWEST, OTHER_TWIN, OLDEST]
    assert list(counts.search({"scan_id": 2})) == [OTHER_TWIN]
    assert list(counts.search({"scan_id": 2}).search({"plan_name": "scan"})) == []
    assert len(catalog) == 5
    assert list(catalog.search({})) == list(catalog.search(None)) == list(catalog)  # type: ignore[arg-type]


def test_search_results_grow_with_the_catalog(catalog: Broker) -> None:
    found = catalog.search({"plan_name": "count"})
    catalog.insert("start", {"uid": "new", "time": TIME + 100, "plan_name": "count"})

    assert found[-1].uid == "new"
    assert len(found) == 4


def test_runs_are_found_by_time(catalog: Broker) -> None:
    def uids(**bounds: Any) -> list[str]:
        return list(catalog.search(TimeRange(**bounds)))

    noon = datetime.datetime.fromtimestamp(TIME + 2, datetime.UTC)

    assert uids(since=TIME + 3) == [NEWEST, DIGITS]
    assert uids(until=TIME + 2) == [TWIN, OLDEST]
    assert uids(since=TIME + 1, until=TIME + 3) == [OTHER_TWIN, TWIN]
    assert uids(since=noon, timezone="UTC") == [NEWEST, DIGITS, OTHER_TWIN]


def test_runs_are_found_by_words(make_catalog: MakeCatalog) -> None:
    catalog = make_catalog(
        [
            start_only("one", TIME, sample="quartz crystal"),
            start_only("two", TIME + 1, notes={"by": ["Quartz", "watch"]}),
            start_only("three", TIME + 2, sample="glass"),
        ]
    )

    assert list(catalog.search(TextQuery("quartz"))) == ["two", "one"]
    assert list(catalog.search(TextQuery("crystal")).search(TimeRange(since=TIME))) == ["one"]
    assert list(catalog.search(TextQuery("nowhere"))) == []


@pytest.mark.parametrize("query", ["plan_name", 7, ["plan_name"], [("plan_name", "count")]])
def test_a_query_that_is_no_mapping_is_refused(catalog: Broker, query: Any) -> None:
    with pytest.raises(InvalidQueryError):
        catalog.search(query)
