"""What drivers written for databroker 1.x build on."""

import pickle
from typing import Any

import pytest
from golden_runs import one_descriptor
from intake.source.base import DataSource

from databroker import core


class Probe(DataSource):
    """A data source that keeps what it was made with."""

    name = "probe"
    container = "python"
    version = "1"
    partition_access = False

    def __init__(self, value: int = 1, entry: Any = None, metadata: Any = None) -> None:
        self.value, self.given_entry = value, entry
        super().__init__(metadata=metadata)


def entry_of(kind: type[core.Entry], **kwargs: Any) -> core.Entry:
    arguments = {"name": "probe", "description": "", "driver": Probe, "args": {"value": 3}}
    return kind(**arguments | kwargs)


KINDS = pytest.mark.parametrize("kind", [core.Entry, core.StreamEntry])


# -- entries ---------------------------------------------------------------------------------------


@KINDS
def test_an_entry_gives_the_very_same_data_source_for_the_same_arguments(kind: Any) -> None:
    entry = entry_of(kind)

    assert entry() is entry() is entry.get()
    assert entry(value=5) is entry(value=5)
    assert entry(value=[5]) is entry(value=[5])
    assert entry(value=5) is not entry()
    assert [entry().value, entry(value=5).value] == [3, 5]


@KINDS
def test_an_entry_gives_a_new_data_source_when_its_cache_was_cleared(kind: Any) -> None:
    entry = entry_of(kind)
    before = entry(), entry(value=5)

    entry.cache_clear()

    assert entry() is not before[0]
    assert entry(value=5) is not before[1]


@pytest.mark.parametrize(("kind", "kept"), [(core.Entry, 10), (core.StreamEntry, 30)])
def test_an_entry_of_a_run_keeps_the_ten_data_sources_used_last(kind: Any, kept: int) -> None:
    entry = entry_of(kind)
    first = entry(value=0)
    sources = [(entry(value=value), entry(value=0))[0] for value in range(1, 30)]

    assert entry(value=0) is first
    found = [entry(value=value) is source for value, source in [*enumerate(sources, 1)][::-1]]
    assert 1 + sum(found) == kept


@KINDS
def test_a_data_source_knows_its_entry_and_an_entry_its_catalog(kind: Any) -> None:
    catalog = object()
    entry = entry_of(kind, catalog=catalog, metadata={"color": "blue"})

    assert entry().given_entry is entry
    assert entry.catalog is entry().cat is catalog
    assert entry().metadata["color"] == "blue"
    assert entry.describe()["metadata"] == {"color": "blue"}
    assert entry_of(kind).catalog is None


@KINDS
def test_an_entry_can_be_pickled(kind: Any) -> None:
    again = pickle.loads(pickle.dumps(entry_of(kind, driver="databroker.core.BlueskyRun")))

    assert type(again) is kind
    assert again.describe()["args"] == {"value": 3}


# -- documents and pages ---------------------------------------------------------------------------


def page(*times: float, prefix: str = "", **columns: Any) -> dict[str, Any]:
    return {
        "descriptor": "d",
        "time": list(times),
        "uid": [f"{prefix}{time}" for time in times],
        "seq_num": list(range(1, len(times) + 1)),
        "data": columns,
        "timestamps": {key: list(times) for key in columns},
        "filled": {},
    }


def test_a_cache_keeps_the_documents_of_a_run() -> None:
    documents = one_descriptor("one_descriptor")
    cache = core.DocumentCache()
    for name, document in documents:
        cache(name, document)
    (_, start), (_, descriptor), *events, (_, stop) = documents

    assert (cache.start_doc, cache.stop_doc) == (start, stop)
    assert cache.descriptors == {descriptor["uid"]: descriptor}
    (pages,) = cache.event_pages.values()
    assert [page["uid"] for page in pages] == [[event["uid"]] for _, event in events]


def test_a_cache_keeps_datums_by_resource() -> None:
    cache = core.DocumentCache()
    resource = {"uid": "r", "spec": "S"}
    datums = {"resource": "r", "datum_id": ["r/2", "r/3"], "datum_kwargs": {"i": [2, 3]}}
    cache("resource", resource)
    cache("datum", {"resource": "r", "datum_id": "r/1", "datum_kwargs": {"i": 1}})
    cache("datum_page", datums)

    one = {"resource": "r", "datum_id": ["r/1"], "datum_kwargs": {"i": [1]}}
    assert cache.resources == {"r": resource}
    assert cache.datum_pages_by_resource == {"r": [one, datums]}
    assert cache.resource_uid_by_datum_id == {"r/1": "r", "r/2": "r", "r/3": "r"}


def test_a_page_of_dataarrays_has_the_times_as_its_coordinate() -> None:
    made = core._event_page_to_dataarray_page(page(1.0, 2.0, x=[3, 4]))

    assert list(made) == ["descriptor", "seq_num", "time", "uid", "data", "timestamps", "filled"]
    assert made["data"]["x"].dims == ("time",)
    assert made["data"]["x"].name == "x"
    assert made["data"]["x"].sel(time=2.0).item() == 4
    assert made["timestamps"]["x"].values.tolist() == [1.0, 2.0]


def test_a_page_of_dataarrays_has_the_dimensions_and_coordinates_that_are_given() -> None:
    made = core._event_page_to_dataarray_page(page(1.0, 2.0, x=[3, 4]), ["row"], {"row": [7, 8]})

    assert made["data"]["x"].sel(row=8).item() == 4


def test_pages_of_dataarrays_are_stacked_as_in_1x() -> None:
    parts = [page(1.0, 2.0, x=[3, 4]), page(5.0, x=[6])]
    pages = [core._event_page_to_dataarray_page(part) for part in parts]
    whole = core._concat_dataarray_pages(pages)

    assert whole["time"] == [1.0, 2.0, 5.0]
    assert whole["uid"] == ["1.0", "2.0", "5.0"]
    assert whole["seq_num"] == [1, 2, 1]
    assert whole["data"]["x"].dims == ("concat_dim", "time")
    assert whole["data"]["x"].fillna(-1).values.tolist() == [[3, 4, -1], [-1, -1, 6]]
    assert core._concat_dataarray_pages(pages[:1]) is pages[0]


def test_the_columns_of_a_page_become_datasets() -> None:
    made = core._dataarray_page_to_dataset_page(
        core._event_page_to_dataarray_page(page(1.0, 2.0, x=[3, 4], y=[5, 6]))
    )

    assert made["uid"] == ["1.0", "2.0"]
    assert list(made["data"].data_vars) == list(made["timestamps"].data_vars) == ["x", "y"]
    assert made["data"]["y"].sel(time=1.0).item() == 5


def test_pages_are_interlaced_only_as_far_as_they_are_asked_for() -> None:
    pulled: list[float] = []

    def pages(*times: float) -> Any:
        for time in times:
            pulled.append(time)
            yield page(time)

    chunks = core._interlace_event_page_chunks(pages(1, 3, 5), pages(2, 4, 6), chunk_size=1)

    assert [next(chunks)["time"], next(chunks)["time"]] == [[1], [2]]
    assert max(pulled) < 5
