"""Catalogs, Runs and streams travel to other processes."""

import importlib
import operator
import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

import pytest

import databroker
from databroker.core import BlueskyRun
from databroker.errors import NotPicklableError
from databroker.queries import TimeRange
from databroker.testing import documents as made_up
from databroker.testing.comparison import assert_same_documents
from databroker.testing.documents import TIME
from databroker.v2 import Broker

MakeCatalog: TypeAlias = Callable[..., Broker]

HANDLERS = """
import numpy as np

class Frames:
    def __init__(self, path, **kwargs):
        self.path = path

    def __call__(self, frame):
        return np.full((5, 6), frame)

def patched(doc):
    return {**doc, "patched": True}
"""


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """Import a module that other processes can import too."""
    folder = tmp_path_factory.mktemp("importable")
    (folder / "made_up_handlers.py").write_text(HANDLERS)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield importlib.import_module("made_up_handlers")


@pytest.fixture(scope="module")
def elsewhere(module: ModuleType) -> Iterator[Callable[..., Any]]:
    """Call a function in a process that knows nothing of this one."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        yield lambda function, *args: pool.submit(function, *args).result(60)


def again(thing: Any) -> Any:
    return pickle.loads(pickle.dumps(thing))


@pytest.fixture
def catalog(make_catalog: MakeCatalog, module: ModuleType) -> Broker:
    return make_catalog(
        [made_up.external_run(3), made_up.several_descriptors_run(seed="newest")],
        name="mine",
        handler_registry={"MADE_UP": module.Frames, "ANOTHER": module.Frames},
        root_map={"/old": "/new"},
        transforms={"start": module.patched},
        metadata={"beamline": 7},
    )


# -- another process -------------------------------------------------------------------------------


def test_a_catalog_is_the_same_elsewhere(catalog: Broker, elsewhere: Callable[..., Any]) -> None:
    assert elsewhere(repr, catalog) == "<Intake catalog: mine>"
    assert elsewhere(list, catalog) == list(catalog)
    assert elsewhere(str, catalog) == str(catalog)
    assert elsewhere(operator.attrgetter("metadata"), catalog) == {"beamline": 7}
    assert elsewhere(operator.attrgetter("root_map"), catalog) == {"/old": "/new"}


def test_search_results_are_the_same_elsewhere(
    catalog: Broker, elsewhere: Callable[..., Any]
) -> None:
    found = catalog.search({"scan_id": 5}).search(TimeRange(since=TIME))

    assert elsewhere(list, found) == list(found) == [catalog[-1].uid]
    assert elsewhere(repr, found) == "<Intake catalog: search results>"


def test_a_run_is_the_same_elsewhere(catalog: Broker, elsewhere: Callable[..., Any]) -> None:
    run = catalog[-1]
    start = elsewhere(operator.attrgetter("start"), run)
    documents = elsewhere(list, elsewhere_documents(run))

    assert (type(start), start) == (databroker.core.Start, run.start)
    assert start["patched"] is True
    assert_same_documents(list(run.documents(fill="no")), documents)


class elsewhere_documents:  # noqa: N801 - it stands for a call
    """Gives the documents of a Run, wherever it is looped over."""

    def __init__(self, run: BlueskyRun) -> None:
        self.run = run

    def __reduce__(self) -> tuple[Any, ...]:
        return operator.methodcaller("documents", fill="no"), (self.run,)


def test_a_stream_is_the_same_elsewhere(catalog: Broker, elsewhere: Callable[..., Any]) -> None:
    stream = catalog[-1].primary
    read = operator.methodcaller("read")
    selected = [
        stream,
        stream(include=["x"]),
        stream.timestamps,
        stream.config["detector"],
        stream.config_timestamps["detector"],
    ]
    for selection in selected:
        assert elsewhere(read, selection).identical(selection.read())


def test_external_data_are_opened_elsewhere(catalog: Broker, elsewhere: Callable[..., Any]) -> None:
    stream = catalog[13].primary
    dataset = elsewhere(operator.methodcaller("read"), stream)

    assert dataset["image"].values[:, 0, 0].tolist() == [0, 1, 2]


def test_lazy_data_are_computed_elsewhere(catalog: Broker, elsewhere: Callable[..., Any]) -> None:
    lazy = catalog[-1].primary.to_dask()["x"]

    assert elsewhere(operator.methodcaller("compute"), lazy).identical(lazy.compute())


def test_an_insert_records_elsewhere(tmp_path: Path, elsewhere: Callable[..., Any]) -> None:
    with databroker.open(tmp_path / "runs.db") as catalog:
        elsewhere(catalog.insert, "start", {"uid": "elsewhere", "time": TIME})
        catalog.insert("start", {"uid": "here", "time": TIME + 1})

        assert list(catalog) == ["here", "elsewhere"]


# -- what a pickle holds ---------------------------------------------------------------------------


def test_memory_travels_by_value() -> None:
    catalog = Broker()
    for name, doc in made_up.simple_run(seed="one"):
        catalog.insert(name, doc)
    copy = again(catalog)
    for name, doc in made_up.simple_run(seed="two"):
        copy.insert(name, doc)

    assert (len(catalog), len(copy)) == (1, 2)
    assert again(catalog[-1]).primary.read().identical(catalog[-1].primary.read())


def test_a_file_is_opened_again_and_grows(tmp_path: Path) -> None:
    with databroker.open(tmp_path / "runs.db", name="mine") as catalog:
        copy = again(catalog)
        for name, doc in made_up.simple_run():
            catalog.insert(name, doc)
        catalog.flush()

        assert len(pickle.dumps(catalog)) < 2000
        assert copy[-1].start == catalog[-1].start
        copy.close()
        assert len(catalog) == 1


def test_a_catalog_stays_what_it_is(catalog: Broker, module: ModuleType) -> None:
    class Unused(Broker):
        """A class that no other process can import."""

    copy = again(catalog)

    assert type(copy) is Broker
    assert dict(copy.handler_registry) == dict(catalog.handler_registry)
    assert (copy.name, copy.metadata, copy.root_map) == ("mine", {"beamline": 7}, {"/old": "/new"})
    assert copy[-1] is copy[-1]
    copy.register_handler("C", module.Frames)
    assert "C" not in catalog.handler_registry
    assert list(copy.search({"scan_id": 5}).v1.v2) == [copy[-1].uid]
    with pytest.raises((pickle.PicklingError, AttributeError)):
        again(Unused())


def test_an_altered_run_keeps_its_alterations(catalog: Broker, module: ModuleType) -> None:
    altered = Broker(store=catalog._store)[-1].configure_new(
        transforms={"stop": module.patched}, name="other", metadata={"note": 1}
    )
    copy = again(altered)

    assert altered.stop["patched"] is copy.stop["patched"] is True
    assert "patched" not in copy.start
    assert (copy.name, copy.metadata["note"]) == ("other", 1)
    assert again(altered.primary).metadata["stop"]["patched"] is True


THINGS: dict[str, Callable[[Broker], Any]] = {
    "catalog": lambda catalog: catalog,
    "search results": lambda catalog: catalog.search({}),
    "insert": lambda catalog: catalog.insert,
    "run": lambda catalog: catalog[-1],
    "stream": lambda catalog: catalog[-1].primary,
}

UNNAMED: dict[str, tuple[dict[str, Any], str]] = {
    "handler": ({"handler_registry": {"ODD": lambda path: None}}, r"handler for 'ODD'"),
    "transform": ({"transforms": {"stop": lambda doc: doc}}, r"transform for 'stop'"),
    "filler class": ({"filler_class": lambda **kwargs: None}, r"filler class"),
}


@pytest.mark.parametrize("thing", THINGS)
@pytest.mark.parametrize("what", UNNAMED)
def test_what_has_no_importable_name_is_named(
    make_catalog: MakeCatalog, what: str, thing: str
) -> None:
    settings, message = UNNAMED[what]
    catalog = make_catalog([made_up.simple_run()], **settings)
    with pytest.raises(NotPicklableError, match=f"{message}.*<lambda>.* top level of a module"):
        pickle.dumps(THINGS[thing](catalog))


def test_documents_stay_what_they_are(catalog: Broker) -> None:
    for document in (catalog[-1].start, catalog[-1].stop, catalog[-1].primary.descriptors[0]):
        copy = again(document)
        assert type(copy) is type(document)
        assert copy == document
