"""How catalogs, Runs and streams show themselves."""

import re
from collections.abc import Callable
from typing import Any, TypeAlias

import pytest
from IPython.lib.pretty import pretty

from databroker.core import BlueskyRun
from databroker.stores.memory import MemoryStore
from databroker.testing import documents as made_up
from databroker.testing.documents import TIME, Run, RunBuilder
from databroker.v2 import Broker

MakeCatalog: TypeAlias = Callable[..., Broker]

SCRIPT = "<script>alert('x')</script>"


def starts(count: int) -> list[Run]:
    return [
        [("start", {"uid": f"run-{n:04}", "time": TIME + n, "scan_id": n, "plan_name": "scan"})]
        for n in range(count)
    ]


def run_of_streams(count: int) -> Run:
    run = RunBuilder("streams", scan_id=7, plan_name="many")
    for number in range(count):
        descriptor = run.descriptor({"x": 0}, f"stream_{number:02}")
        for _ in range(number):
            run.event(descriptor, {"x": 1})
    run.stop()
    return run.documents


def cells(shown: str) -> list[list[str]]:
    """Return the cells of all rows of an HTML table, titles included."""
    rows = re.findall(r"<tr>(.*?)</tr>", shown)
    return [re.findall(r"<t[hd]>(.*?)</t[hd]>", row) for row in rows]


# -- catalogs --------------------------------------------------------------------------------------


def test_a_catalog_shows_its_newest_runs(make_catalog: MakeCatalog) -> None:
    catalog = make_catalog(
        [
            made_up.simple_run(seed="one", scan_id=1, time=TIME),
            made_up.simple_run(seed="two", scan_id=2, time=TIME + 10, plan_name="count"),
            made_up.no_stop_run(seed="open"),
            made_up.two_stops_run(seed="failed"),
        ],
        name="mine",
    )
    title, titles, *lines = str(catalog).splitlines()
    rows = [line.split() for line in lines]

    assert title.startswith("mine: 4 Runs in ")
    assert titles.split() == ["scan_id", "uid", "time", "plan_name", "status"]
    assert [row[1] for row in rows] == [uid[:8] for uid in catalog]
    assert rows[0][0] == "2"
    assert [row[-2:] for row in rows] == [
        ["count", "success"], ["scan", "fail"], ["scan", "open"], ["scan", "success"]
    ]  # fmt: skip
    assert cells(catalog._repr_html_())[0] == titles.split()
    assert [row[1] for row in cells(catalog._repr_html_())[1:]] == [uid[:8] for uid in catalog]


@pytest.mark.parametrize(
    ("count", "said", "shown"),
    [(0, "0 Runs", 0), (1, "1 Run ", 1), (10, "10 Runs", 10), (11, "the 10 newest Runs", 10)],
)
def test_a_catalog_says_how_many_runs_it_shows(
    make_catalog: MakeCatalog, count: int, said: str, shown: int
) -> None:
    catalog = make_catalog(starts(count))
    lines = str(catalog).splitlines()

    assert said in lines[0]
    assert len(lines) == (shown + 2 if shown else 1)
    assert len(cells(catalog._repr_html_())) == shown + 1
    assert said.strip() in catalog._repr_html_()
    assert pretty(catalog) == str(catalog)


def test_search_results_say_so_and_where(make_catalog: MakeCatalog) -> None:
    catalog = make_catalog(starts(3), name="mine")
    title = str(catalog.search({"scan_id": 1})).splitlines()[0]

    assert title == f"search results: 1 Run in {catalog._store.uri}"


def test_a_run_start_of_odd_values_is_shown(make_catalog: MakeCatalog) -> None:
    odd = {"uid": "odd", "time": "noon", "scan_id": {"a": 1}, "plan_name": ["x"]}
    catalog = make_catalog([[("start", odd)], [("start", {"uid": "bare"})]])

    assert "odd" in str(catalog)
    assert [row[1] for row in cells(catalog._repr_html_())[1:]] == list(catalog)
    assert "uid='odd'" in str(catalog["odd"])
    assert "uid='bare'" in str(catalog["bare"])
    assert "exit_status=None" in str(catalog["bare"])


# -- Runs and streams ------------------------------------------------------------------------------


def test_a_run_shows_what_it_is(make_catalog: MakeCatalog) -> None:
    run = make_catalog([made_up.grid_run((2, 3))])[-1]
    first, *lines = str(run).splitlines()
    lines = [line.strip() for line in lines]

    assert first == "BlueskyRun"
    assert lines[:4] == [
        f"uid='{run.uid}'", "scan_id=3", "plan_name='grid_scan'", "exit_status='success'"
    ]  # fmt: skip
    assert re.fullmatch(r"\d{4}-\d\d-\d\d [\d:.]{12} -- \d{4}-\d\d-\d\d [\d:.]{12}", lines[4])
    assert lines[5:] == ["Streams:", "* baseline  (2 Events)", "* primary  (6 Events)"]
    shown = cells(run._repr_html_())
    assert ["uid", f"&#x27;{run.uid}&#x27;"] in shown
    assert shown[-2:] == [["baseline", "2 Events"], ["primary", "6 Events"]]


def test_an_open_run_is_shown_and_grows(make_catalog: MakeCatalog) -> None:
    documents = made_up.simple_run(2)
    catalog = make_catalog([documents[:3]])
    run = catalog[-1]
    before = str(run)
    for name, doc in documents[3:]:
        catalog.insert(name, doc)

    assert "exit_status=None" in before
    assert " -- ?\n" in before
    assert "* primary  (1 Event)" in before
    assert "exit_status='success'" in str(run)
    assert "* primary  (2 Events)" in str(run)


def test_more_than_ten_streams_are_folded(make_catalog: MakeCatalog) -> None:
    ten, many = make_catalog([run_of_streams(10)])[-1], make_catalog([run_of_streams(15)])[-1]

    assert "more" not in str(ten)
    assert str(many).splitlines()[-2:] == ["    * stream_09  (9 Events)", "    … and 5 more"]
    assert cells(many._repr_html_())[-1] == ["…", "and 5 more"]
    assert len(cells(many._repr_html_())) == len(cells(ten._repr_html_())) + 1


def test_a_run_without_streams_is_shown(make_catalog: MakeCatalog) -> None:
    run = make_catalog([made_up.no_descriptors_run()])[-1]

    assert str(run).splitlines()[-1].strip() == "Streams:"
    assert "exit_status='abort'" in str(run)
    assert "abort" in run._repr_html_()


def test_a_stream_shows_its_data_keys(make_catalog: MakeCatalog) -> None:
    stream = make_catalog([made_up.baseline_run(13)])[-1].baseline
    lines = str(stream).splitlines()

    assert lines[0] == f"{stream!r}: 2 Events"
    assert lines[1].split() == ["data", "key", "dtype", "shape", "units"]
    assert lines[2].split() == ["device_000_readback", "number", "[]"]
    assert lines[-1].strip() == "… and 3 more"
    assert len(cells(stream._repr_html_())) == 11
    assert "… and 3 more" in stream._repr_html_()
    assert pretty(stream) == str(stream)


# -- HTML ------------------------------------------------------------------------------------------


def test_nothing_that_was_recorded_becomes_html(make_catalog: MakeCatalog) -> None:
    run = RunBuilder(SCRIPT, scan_id=SCRIPT, plan_name=SCRIPT)
    unit = {"dtype": SCRIPT, "shape": [SCRIPT], "units": SCRIPT, "source": ""}
    run.event(run.descriptor({}, SCRIPT, data_keys={SCRIPT: unit}), {SCRIPT: 1})
    run.stop(exit_status=SCRIPT)
    catalog = make_catalog([run.documents], name=SCRIPT)
    found = catalog[-1]

    for thing in (catalog, catalog.search({}), found, found[SCRIPT]):
        shown = thing._repr_html_()
        assert "<script" not in shown
        assert "&lt;script&gt;" in shown or thing.name == "search results"


# -- bounded work ----------------------------------------------------------------------------------


class Watched:
    """A store that notes what it is asked for.

    Parameters
    ----------
    store
        What answers.
    calls
        The names of the methods that were called, and their arguments, are added here.
    """

    def __init__(
        self, store: Any, calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]]
    ) -> None:
        self._store, self._calls = store, calls

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        if not callable(found):
            return found

        def watched(*args: Any, **kwargs: Any) -> Any:
            self._calls.append((name, args, kwargs))
            return found(*args, **kwargs)

        return watched


def watched(runs: list[Run]) -> tuple[Broker, list[Any]]:
    store, calls = MemoryStore(), []
    for run in runs:
        for name, doc in run:
            store.insert(name, doc)
    return Broker(store=Watched(store, calls), handler_registry={}), calls  # type: ignore[arg-type]


@pytest.mark.parametrize("show", [str, lambda catalog: catalog._repr_html_()])
def test_showing_a_catalog_costs_the_same_however_many_runs_there_are(
    show: Callable[[Broker], str],
) -> None:
    small, calls_of_small = watched(starts(11))
    large, calls_of_large = watched(starts(500))
    show(small)
    show(large)

    assert [name for name, _, _ in calls_of_large] == [name for name, _, _ in calls_of_small]
    assert len(calls_of_large) <= 3
    assert [kwargs for name, _, kwargs in calls_of_large if name == "uids"] == [{"limit": 11}]
    assert all(len(args[0]) <= 11 for name, args, _ in calls_of_large if name == "run_starts")


def test_looking_at_the_name_of_a_catalog_asks_nothing_of_the_store() -> None:
    catalog, calls = watched(starts(3))
    assert (repr(catalog), dir(catalog) != []) == ("<Intake catalog: None>", True)

    assert calls == []


def test_completing_uids_costs_the_same_however_many_runs_there_are() -> None:
    catalog, calls = watched(starts(500))

    assert len(catalog._ipython_key_completions_()) == 100
    assert [(name, kwargs) for name, _, kwargs in calls] == [("uids", {"limit": 100})]


def names_of_calls(run: BlueskyRun, calls: list[Any], show: Callable[[Any], object]) -> list[str]:
    calls.clear()
    show(run)
    return [name for name, _, _ in calls]


def test_showing_a_run_counts_events_of_ten_streams_and_reads_none() -> None:
    ten, calls_of_ten = watched([run_of_streams(10)])
    many, calls_of_many = watched([run_of_streams(40)])
    calls = names_of_calls(many[-1], calls_of_many, str)

    assert calls.count("event_count") == 10
    assert len(calls) <= len(names_of_calls(ten[-1], calls_of_ten, str)) + 1
    assert not {"columns", "datums", "resources"} & set(calls)


def test_looking_up_and_reading_asks_little_of_the_store() -> None:
    catalog, calls = watched([made_up.simple_run(5)])
    catalog[-1].primary.read()

    assert len([name for name, _, _ in calls]) <= 5
    assert [name for name, _, _ in calls].count("columns") == 1


def test_listing_fetches_a_hundred_runs_at_a_time() -> None:
    catalog, calls = watched(starts(250))
    first = next(iter(catalog))

    assert (first, len(calls)) == ("run-0249", 1)
    assert len(list(catalog)) == 250
    assert [kwargs["limit"] for name, _, kwargs in calls if name == "uids"] == [100] * 4
