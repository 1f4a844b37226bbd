"""Made-up Runs are what event-model allows, and the same each time."""

import copy

import event_model
import pytest

from databroker.testing import documents
from databroker.testing.comparison import assert_identical, assert_same_documents, unpacked
from databroker.testing.stores import scramble

# Kinds, values and columns that event-model's schemas rule out.
BEYOND_THE_SCHEMAS = {
    "strings",
    "every type",
    "unknown kinds",
    "numpy pages",
    "numpy pages of arrays",
}
ORDINARY = [name for name in documents.RUNS if name not in BEYOND_THE_SCHEMAS]


@pytest.mark.parametrize("name", ORDINARY)
def test_documents_are_valid_for_event_model(name):
    for kind, document in documents.RUNS[name]():
        event_model.schema_validators[event_model.DocumentNames[kind]].validate(document)


@pytest.mark.parametrize("name", documents.RUNS)
def test_a_run_is_made_anew_and_the_same_each_time(name):
    run, again = documents.RUNS[name](), documents.RUNS[name]()
    assert_identical(run, again)
    before = copy.deepcopy(again)
    for _, document in run:
        scramble(document)
    assert_identical(again, before)
    assert_identical(documents.RUNS[name](), before)


def test_no_two_runs_share_a_uid():
    uids = [
        document["uid"]
        for make in documents.RUNS.values()
        for name, document in make()
        if name == "start"
    ]
    assert len(uids) == len(set(uids)) == len(documents.RUNS) + 1  # one entry is two Runs


@pytest.mark.parametrize("make", [documents.grid_run, documents.array_run, documents.external_run])
@pytest.mark.parametrize("rows", [1, 3, 100])
def test_a_paged_run_is_the_same_run(make, rows):
    assert_same_documents(make(), documents.paged(make(), rows))
    assert_same_documents(make(), documents.numpy_paged(make(), rows))


def test_pages_have_at_most_so_many_rows():
    pages = [doc for name, doc in documents.paged(documents.grid_run(), 5) if name == "event_page"]
    assert [len(page["uid"]) for page in pages] == [1, 5, 5, 2, 1]


def test_numpy_pages_hold_arrays():
    pages = documents.numpy_paged(documents.array_run(), 4)
    (page,) = [document for name, document in pages if name == "event_page"]
    assert page["time"].shape == (4,)
    assert page["data"]["image"].shape == (4, 3, 4)
    assert page["data"]["big_endian"].dtype == ">f8"
    assert isinstance(page["data"]["nested"], list)
    assert isinstance(page["data"]["other_dtypes"], list)


def test_event_model_unpacks_pages_and_bulks_as_we_do():
    singles = {
        document["uid"]: document
        for name, document in unpacked(documents.paged(documents.grid_run(), 5))
        if name == "event"
    }
    for name, page in documents.paged(documents.grid_run(), 5):
        if name == "event_page":
            for event in event_model.unpack_event_page(page):
                assert_identical(singles[event["uid"]], event)
    for name, document in documents.bulk(documents.grid_run()):
        if name == "bulk_events":
            for page in event_model.bulk_events_to_event_pages(document):
                for event in event_model.unpack_event_page(page):
                    assert_identical(singles[event["uid"]], event)


def test_event_model_unpacks_datums_as_we_do():
    run = documents.external_run()
    singles = {doc["datum_id"]: doc for name, doc in run if name == "datum"}
    packed = [doc for name, doc in documents.bulk(run) if name == "bulk_datum"]
    unpacked_by_event_model = [
        datum
        for document in packed
        for datum in event_model.unpack_datum_page(event_model.bulk_datum_to_datum_page(document))
    ]
    assert len(unpacked_by_event_model) == len(singles)
    for datum in unpacked_by_event_model:
        assert_identical(singles[datum["datum_id"]], datum)


def test_a_bulk_names_streams():
    names = [
        name
        for kind, document in documents.bulk(documents.grid_run())
        if kind == "bulk_events"
        for name in document
    ]
    assert names == ["baseline", "primary", "baseline"]


def test_children_come_before_their_parents():
    run = documents.children_first_run()
    seen: set[str] = set()
    for _, document in run:
        parents = {document.get(key) for key in ("run_start", "descriptor", "resource")}
        assert not parents & seen
        seen |= {document["uid"]} if "uid" in document else set()
    assert run[-1][0] == "start"


def test_a_rewound_run_repeats_seq_nums():
    events = [document for name, document in documents.rewound_run() if name == "event"]
    assert [event["seq_num"] for event in events] == [1, 2, 3, 2, 3, 4]
    assert len({event["uid"] for event in events}) == 6


def test_a_seed_makes_other_uids_and_the_same_data():
    one, other = documents.simple_run(seed="one"), documents.simple_run(seed="other")
    assert one[0][1]["uid"] != other[0][1]["uid"]
    assert [doc["data"] for name, doc in one if name == "event"] == [
        doc["data"] for name, doc in other if name == "event"
    ]
