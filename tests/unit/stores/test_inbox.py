"""Documents that come before their parents, without a place, or into a damaged Run."""

import contextlib
import gc
import os
import warnings
from pathlib import Path
from typing import Any

import pytest

import databroker
from databroker.errors import ConflictWarning, DatabrokerWarning, RecordingError
from databroker.stores.sqlite import SQLiteStore, sqlite
from databroker.testing.documents import paged, simple_run


def insert(store: Any, documents: Any, **options: Any) -> None:
    for name, document in documents:
        store.insert(name, document, **options)
    store.flush()


def test_a_conflict_among_orphans_loses_none_of_the_others(make_store: Any) -> None:
    store, run = make_store(), simple_run(3)
    start, descriptor, *events, stop = run
    other = (descriptor[0], {**descriptor[1], "hints": {"other": 1}})
    insert(store, [descriptor, other, *events, stop])
    with pytest.warns(ConflictWarning):
        insert(store, [start], on_conflict="raise")
    uid = start[1]["uid"]

    assert store.descriptors(uid) == [descriptor[1]]
    assert store.event_count(uid, descriptor[1]["uid"]) == 3
    assert store.run_stops([uid]) == [stop[1]]
    assert [problem.document for problem in store.problems()] == [other[1]]


def test_an_orphan_that_comes_again_with_its_run_is_one_event(make_store: Any) -> None:
    store, run = make_store(), simple_run(3)
    insert(store, run[2:3])
    store = make_store.reopen(store)
    insert(store, run)

    assert store.event_count(run[0][1]["uid"], run[1][1]["uid"]) == 3
    assert store.problems() == []


def test_a_page_that_names_no_descriptor_is_kept_as_it_came(make_store: Any) -> None:
    store = make_store()
    page = next(doc for name, doc in paged(simple_run(3), 3) if name == "event_page")
    page = {key: value for key, value in page.items() if key != "descriptor"}
    insert(store, [("event_page", page)])
    (problem,) = store.problems()

    assert (problem.kind, problem.name, problem.document) == ("orphan", "event_page", page)


def test_a_resource_that_is_told_again_gathers_its_datums_in_the_newest_run(
    make_store: Any,
) -> None:
    store = make_store()
    resource = {"uid": "r", "spec": "S", "root": "/", "resource_path": "x", "resource_kwargs": {}}
    datum = {"datum_id": "r/0", "resource": "r", "datum_kwargs": {}}
    insert(store, [("start", {"uid": "a", "time": 1.0})])
    insert(store, [("resource", {**resource, "run_start": "a"})])
    insert(store, [("start", {"uid": "b", "time": 2.0})])
    insert(store, [("resource", {**resource, "run_start": "b"})])
    insert(store, [("resource", {**resource, "run_start": "a"}), ("datum", datum)])

    assert (store.datums("a", "r").count, store.datums("b", "r").count) == (1, 0)


def test_a_damaged_run_does_not_keep_others_from_being_recorded(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    damaged, whole = simple_run(3, seed="damaged"), simple_run(3, seed="whole")
    with contextlib.closing(SQLiteStore(path)) as store:
        insert(store, damaged)
    with contextlib.closing(sqlite.connect(path)) as connection:
        connection.execute("UPDATE document SET body = x'00112233445566' WHERE kind = 'stop'")
        connection.commit()
    store = SQLiteStore(path)
    late = {**damaged[0][1], "uid": "late", "run_start": damaged[0][1]["uid"]}
    with contextlib.suppress(Exception):
        store.insert("remark", late)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DatabrokerWarning)
        insert(store, whole)

    assert store.event_count(whole[0][1]["uid"], whole[1][1]["uid"]) == 3
    store.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="This system does not fork.")
def test_a_forked_child_leaves_the_temporary_store_of_its_parent_alone() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside threads
        catalog = databroker.v2.temp()
        insert(catalog._store, simple_run(2))
        child = os.fork()
        if child == 0:
            try:
                catalog = None
                gc.collect()  # which lets the child's copy of the store go
            finally:
                os._exit(0)
        os.waitpid(child, 0)

    assert len(catalog) == 1
    assert Path(catalog._store.uri).exists()
    catalog.close()


def test_documents_of_a_run_that_ends_meanwhile_are_whole_up_to_their_end(make_store: Any) -> None:
    store, run = make_store(), simple_run(4)
    catalog = databroker.v2.Broker(store=store)
    insert(store, run[:4])
    replayed = catalog[-1].documents(fill="no")
    told = [next(replayed) for _ in range(2)]
    insert(store, run[4:])
    names = [name for name, _ in [*told, *replayed]]

    assert "stop" not in names


def test_many_alternatives_are_no_damage(make_store: Any) -> None:
    store = make_store()
    insert(store, simple_run(2, scan_id=7))
    catalog = databroker.v2.Broker(store=store)

    assert len(catalog.search({"$or": [{"scan_id": number} for number in range(1500)]})) == 1
    assert len(catalog.search({"$and": [{"scan_id": 7}] * 1500})) == 1


def test_a_document_whose_insert_warns_of_an_earlier_one_is_recorded(tmp_path: Path) -> None:
    """Where warnings are errors, the warning must come when the document is taken."""
    with contextlib.closing(SQLiteStore(tmp_path / "runs.db")) as store:
        store._recorder._notices.append("an earlier document cannot be stored")
        with pytest.raises(DatabrokerWarning, match="an earlier document"):
            store.insert("start", {"uid": "a", "time": 1.0})

        assert store.uids() == ["a"]


def test_a_refusal_while_entries_are_stored_one_by_one_loses_none(tmp_path: Path) -> None:
    run = simple_run(3)
    with contextlib.closing(SQLiteStore(tmp_path / "runs.db")) as store:
        insert(store, run[:2])
        whole, answers = store._recorder._writer.store, [ValueError("odd"), OSError("full")]

        def refusing(entries: Any) -> Any:
            if answers:
                raise answers.pop(0)
            return whole(entries)

        store._recorder._writer.store = refusing
        for name, document in run[2:5]:
            store.insert(name, document)
        with contextlib.suppress(RecordingError):
            store.flush()
        store.flush()

        assert store.event_count(run[0][1]["uid"], run[1][1]["uid"]) == 3
        assert store.problems() == []
