"""How documents get into a catalog, and what becomes of its store."""

import copy
import gc
import os
import subprocess
import sys
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from bluesky import RunEngine
from bluesky.plans import count
from ophyd.sim import SynAxis, SynGauss

import databroker
import databroker.v2
from databroker.errors import (
    ConflictError,
    ConflictWarning,
    DatabrokerError,
    InvalidDocumentError,
    InvalidSettingError,
    InvalidStoreError,
    ReadOnlyStoreError,
    StoreClosedError,
)
from databroker.stores import recorder
from databroker.testing import documents as made_up
from databroker.testing.comparison import assert_same_documents
from databroker.testing.documents import Run
from databroker.v2 import Broker

MakeCatalog: TypeAlias = Callable[..., Broker]


def fill(catalog: Broker, run: Run) -> Broker:
    for name, doc in run:
        catalog.insert(name, doc)
    return catalog


# -- a RunEngine -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def engine() -> Iterator[Any]:
    engine = RunEngine({}, context_managers=[])
    yield engine
    engine.loop.call_soon_threadsafe(engine.loop.stop)


@pytest.fixture
def counting() -> Any:
    motor = SynAxis(name="motor")
    detector: Any = SynGauss("det", motor, "motor", center=0, Imax=1)
    return lambda: count([detector], num=3)


def test_an_insert_keeps_its_catalog_alive(tmp_path: Path, engine: Any, counting: Any) -> None:
    path = tmp_path / "runs.db"
    token = engine.subscribe(databroker.open(path).insert)
    gc.collect()
    try:
        (uid,) = engine(counting())
        gc.collect()
        (again,) = engine(counting(), sample="quartz")
    finally:
        engine.unsubscribe(token)
    with databroker.open(path, mode="read") as catalog:
        assert list(catalog) == [again, uid]
        assert catalog[-1].start["sample"] == "quartz"
        assert catalog[uid].primary.read()["det"].shape == (3,)
        assert catalog[uid].stop["exit_status"] == "success"


@pytest.mark.parametrize("subscribed", ["catalog", "catalog.insert", "catalog.v1.insert"])
def test_a_run_engine_records(
    make_catalog: MakeCatalog, engine: Any, counting: Any, subscribed: str
) -> None:
    catalog = make_catalog()
    sent: Run = []
    callback = {
        "catalog": lambda: catalog,
        "catalog.insert": lambda: catalog.insert,
        "catalog.v1.insert": lambda: catalog.v1.insert,
    }[subscribed]()
    tokens = [
        engine.subscribe(lambda name, doc: sent.append((name, copy.deepcopy(doc)))),
        engine.subscribe(callback),
    ]
    try:
        (uid,) = engine(counting())
    finally:
        for token in tokens:
            engine.unsubscribe(token)

    assert list(catalog) == [uid]
    assert_same_documents(sent, list(catalog[uid].documents(fill="no")))
    assert len(sent) == 6


def test_an_aborted_run_is_recorded(make_catalog: MakeCatalog, engine: Any, counting: Any) -> None:
    def broken() -> Iterator[Any]:
        for message in counting():
            if message.command == "close_run":
                raise RuntimeError("The beam is gone.")
            yield message

    catalog = make_catalog()
    token = engine.subscribe(catalog)
    try:
        with pytest.raises(RuntimeError, match="beam"):
            engine(broken())
    finally:
        engine.unsubscribe(token)

    assert catalog[-1].stop["exit_status"] in ("abort", "fail")
    assert catalog[-1].primary.read()["det"].shape == (3,)


# -- documents -------------------------------------------------------------------------------------


def test_a_document_may_be_changed_after_it_was_inserted(make_catalog: MakeCatalog) -> None:
    catalog = make_catalog()
    for name, doc in made_up.simple_run(3, sample={"names": ["quartz"]}):
        catalog.insert(name, doc)
        for value in doc.values():
            if isinstance(value, dict):
                value.clear()

    assert catalog[-1].start["sample"] == {"names": ["quartz"]}
    assert catalog[-1].primary.read()["detector"].values.tolist() == [0, 1, 8]


def test_inserts_of_one_catalog_are_equal() -> None:
    catalog = Broker()

    assert catalog.insert == catalog.insert
    assert catalog.insert != Broker().insert


@pytest.mark.parametrize("doc", [None, 3, "start", [("uid", "a")], {}, {"uid": None}, {"uid": 3}])
def test_what_is_no_document_is_refused(make_catalog: MakeCatalog, doc: Any) -> None:
    catalog = make_catalog()
    for insert in (catalog.insert, catalog):
        with pytest.raises(InvalidDocumentError):
            insert("start", doc)

    assert list(catalog) == []


def test_what_to_do_with_a_conflict_is_said_by_name(make_catalog: MakeCatalog) -> None:
    catalog = make_catalog([made_up.simple_run()])
    start = dict(catalog[-1].start) | {"plan_name": "another"}
    with pytest.raises(InvalidSettingError, match=r"'keep' or 'raise', not 'ignore'"):
        catalog.insert("start", start, on_conflict="ignore")
    with pytest.raises(ConflictError):
        catalog("start", start, on_conflict="raise")
    with pytest.warns(ConflictWarning):
        catalog.insert("start", start)
    problems = catalog.problems()

    assert [(problem.kind, problem.name, problem.run) for problem in problems] == [
        ("conflict", "start", catalog[-1].uid)
    ]
    assert problems[0].document == start
    assert catalog.search({"plan_name": "scan"}).problems() == problems
    assert catalog[-1].start["plan_name"] == "scan"


def test_documents_of_no_run_are_problems(make_catalog: MakeCatalog) -> None:
    catalog = make_catalog()
    assert catalog.problems() == []
    catalog.insert("event", {"uid": "e", "descriptor": "nowhere", "data": {}, "timestamps": {}})

    (problem,) = catalog.problems()
    assert (problem.kind, problem.name, problem.uid, problem.run) == ("orphan", "event", "e", None)


# -- the store of a catalog ------------------------------------------------------------------------


def test_stats_count_what_there_is(tmp_path: Path) -> None:
    with databroker.open(tmp_path / "runs.db") as catalog:
        before = catalog.stats()
        fill(catalog, made_up.simple_run(4, seed="one"))
        fill(catalog, made_up.simple_run(5, seed="two"))
        catalog.flush()
        after = catalog.stats()

    assert (before["runs"], before["events"], before["problems"]) == (0, 0, 0)
    assert (after["runs"], after["events"], after["problems"]) == (2, 9, 0)
    assert after["uri"] == str(tmp_path / "runs.db")
    assert after["bytes"] > 0


def test_a_backup_is_a_catalog_of_the_same_runs(tmp_path: Path) -> None:
    run = made_up.grid_run()
    with databroker.open(tmp_path / "runs.db") as catalog:
        fill(catalog, run[:-3])
        catalog.backup(str(tmp_path / "copy.db"))
        fill(catalog, run[-3:])
    with databroker.open(tmp_path / "copy.db", mode="read") as backup:
        assert_same_documents(run[:-3], list(backup[-1].documents(fill="no")))


@pytest.mark.parametrize("to", ["runs.db", "there.db", "missing/copy.db", "."])
def test_a_backup_goes_into_a_new_file_of_a_folder_that_is_there(tmp_path: Path, to: str) -> None:
    (tmp_path / "there.db").write_text("mine")
    with databroker.open(tmp_path / "runs.db") as catalog:
        fill(catalog, made_up.simple_run())
        with pytest.raises(InvalidStoreError):
            catalog.backup(str(tmp_path / to))
        assert len(catalog) == 1

    assert (tmp_path / "there.db").read_text() == "mine"


@pytest.mark.parametrize("ask", [lambda c: c.stats(), lambda c: c.backup("copy.db")])
def test_memory_says_that_it_offers_neither_stats_nor_backup(ask: Callable[[Broker], Any]) -> None:
    with pytest.raises(NotImplementedError, match="MemoryStore") as caught:
        ask(Broker())
    assert isinstance(caught.value, DatabrokerError)


USES: dict[str, Callable[[Broker], Any]] = {
    "look-up": lambda catalog: catalog[-1],
    "slice": lambda catalog: catalog[-1:],
    "in": lambda catalog: "a" in catalog,
    "len": len,
    "bool": bool,
    "iter": list,
    "values": lambda catalog: list(catalog.values()),
    "str": str,
    "html": lambda catalog: catalog._repr_html_(),
    "completion": lambda catalog: catalog._ipython_key_completions_(),
    "search": lambda catalog: len(catalog.search({})),
    "insert": lambda catalog: catalog.insert("start", {"uid": "a", "time": 1.0}),
    "call": lambda catalog: catalog("start", {"uid": "a", "time": 1.0}),
    "problems": lambda catalog: catalog.problems(),
}


@pytest.mark.parametrize("use", USES)
def test_a_closed_catalog_says_so(make_catalog: MakeCatalog, use: str) -> None:
    catalog = make_catalog([made_up.simple_run()])
    catalog.close()
    with pytest.raises(StoreClosedError, match="closed"):
        USES[use](catalog)


def test_what_a_closed_catalog_can_do_needs_no_store(make_catalog: MakeCatalog) -> None:
    catalog = make_catalog([made_up.simple_run()], name="mine")
    run = catalog[-1]
    catalog.close()
    catalog.close()

    assert repr(catalog) == "<Intake catalog: mine>"
    assert "search" in dir(catalog)
    assert repr(run) == f"<BlueskyRun uid='{run.uid}'>"
    with pytest.raises(StoreClosedError):
        run.primary.read()
    with pytest.raises(StoreClosedError):
        list(run.documents(fill="no"))


def test_a_catalog_is_closed_behind_a_with_statement(make_catalog: MakeCatalog) -> None:
    catalog = make_catalog([made_up.simple_run()])
    with catalog as entered:
        assert entered is catalog
        assert len(catalog) == 1
    with pytest.raises(StoreClosedError):
        len(catalog)


def test_a_catalog_that_is_only_read_refuses_documents(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    fill(databroker.open(path), made_up.simple_run()).close()
    with databroker.open(path, mode="read") as catalog:
        with pytest.raises(ReadOnlyStoreError, match=r"runs\.db"):
            catalog.insert("start", {"uid": "a", "time": 1.0})
        assert len(catalog) == 1


# -- catalogs that nobody closes -------------------------------------------------------------------


def test_a_temporary_catalog_records_and_reads() -> None:
    with databroker.v2.temp() as catalog:
        fill(catalog, made_up.simple_run(3))

        assert type(catalog) is Broker
        assert catalog[-1].primary.read()["detector"].values.tolist() == [0, 1, 8]
        assert list(databroker.v2.temp()) == []


@pytest.mark.parametrize("leave", [lambda catalog: None, lambda catalog: catalog.close()])
def test_a_temporary_store_is_deleted_with_its_catalog(leave: Callable[[Broker], None]) -> None:
    catalog = databroker.v2.temp()
    leave(catalog)
    path = Path(catalog._store.uri)
    assert path.exists()
    catalog.close()  # else the thread that records keeps the store for some seconds
    del catalog
    gc.collect()

    assert not path.exists()
    assert not path.parent.exists()


def test_a_temporary_store_is_deleted_when_its_recorder_rests(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(recorder, "PATIENCE", 0.05)
    catalog = fill(databroker.v2.temp(), made_up.simple_run())
    path = Path(catalog._store.uri)
    del catalog
    for _ in range(100):
        gc.collect()
        if not path.parent.exists():
            break
        time.sleep(0.05)

    assert not path.parent.exists()


def test_a_temporary_store_lives_as_long_as_a_run_of_it() -> None:
    run = fill(databroker.v2.temp(), made_up.simple_run(3))[-1]
    gc.collect()

    assert run.primary.read().sizes == {"time": 3}


def test_a_temporary_store_is_deleted_when_python_ends() -> None:
    script = (
        "import databroker.v2; catalog = databroker.v2.temp(); print(catalog._store.uri);"
        "catalog.insert('start', {'uid': 'a', 'time': 1.0})"
    )
    path = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=True
    ).stdout.strip()

    assert path.endswith(".db")
    assert not Path(path).parent.exists()


def test_a_catalog_that_is_forgotten_lets_go_of_its_file(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    fill(databroker.open(path), made_up.simple_run()).close()
    forgotten = []
    for _ in range(5):
        catalog = databroker.open(path)
        assert len(catalog) == 1
        store: Any = catalog._store
        forgotten.append(weakref.ref(store._file))
        del catalog, store
    gc.collect()

    assert [ref() for ref in forgotten] == [None] * 5


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts the files in /proc")
def test_forgotten_catalogs_hold_no_files(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    fill(databroker.open(path), made_up.simple_run()).close()
    len(databroker.open(path))
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        len(databroker.open(path))
    gc.collect()

    assert len(os.listdir("/proc/self/fd")) <= before + 3
