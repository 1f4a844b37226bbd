"""The documents of a Run, in the order of the experiment."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import event_model
import pytest
from hypothesis import given, settings

from databroker.core import BlueskyRun, DatumPage, Descriptor, Document, Resource, Start, Stop
from databroker.errors import NotMutable
from databroker.testing import documents as made_up
from databroker.testing import strategies
from databroker.testing.comparison import assert_identical, assert_same_documents
from databroker.testing.documents import TIME, Run, RunBuilder
from databroker.v2 import Broker

Record: TypeAlias = Callable[..., BlueskyRun]
Named: TypeAlias = tuple[str, Mapping[str, Any]]

ORDER = ("start", "descriptor", "resource", "stream_resource", "datum_page", "stream_datum",
         "event_page", "remark", "stop")  # fmt: skip


def replayed(run: BlueskyRun, strict_order: bool = True) -> list[Named]:
    return list(run.documents(fill="no", strict_order=strict_order))


def names_of(documents: list[Named]) -> list[str]:
    return [name for name, _ in documents]


def pages_of(documents: list[Named]) -> list[Mapping[str, Any]]:
    return [doc for name, doc in documents if name == "event_page"]


# -- order -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("strict_order", [True, False])
def test_kinds_come_one_after_the_other(record: Record, strict_order: bool) -> None:
    run = RunBuilder("all kinds")
    streamed = run.stream_resource("image")
    run.other("remark", run_start=run.uid, text="early")
    primary = run.descriptor({"x": 0})
    run.event(primary, {"x": 1})
    run.stream_datum(streamed, primary, range(1))
    run.datum(run.resource(), 0)
    run.stop()
    names = names_of(replayed(record(run.documents), strict_order))

    assert names == list(ORDER)


def test_events_of_all_streams_are_interlaced_by_time(record: Record) -> None:
    run = RunBuilder("interlaced")
    slow, fast = run.descriptor({"n": 0}, "slow"), run.descriptor({"n": 0}, "fast")
    for descriptor, number, time in [
        (slow, 0, 1), (slow, 3, 4), (slow, 5, 9), (fast, 1, 2), (fast, 2, 3), (fast, 4, 5),
    ]:  # fmt: skip
        run.event(descriptor, {"n": number}, time=TIME + time)
    pages = pages_of(replayed(record(run.documents)))

    assert [page["data"]["n"] for page in pages] == [[0], [1], [2], [3], [4], [5]]


def test_events_of_equal_times_come_in_order_of_arrival(record: Record) -> None:
    run = RunBuilder("equal times")
    descriptors = [run.descriptor({"n": 0}, name) for name in ("one", "two", "three")]
    for number in range(9):
        run.event(descriptors[number * 2 % 3], {"n": number}, time=TIME)
    pages = pages_of(replayed(record(run.documents)))

    assert [page["data"]["n"][0] for page in pages] == list(range(9))


def test_events_of_one_stream_stay_in_order_where_times_go_back(record: Record) -> None:
    run = RunBuilder("back")
    one, other = run.descriptor({"n": 0}, "one"), run.descriptor({"m": 0}, "other")
    for number, time in enumerate([5, 3, 4, 6]):
        run.event(one, {"n": number}, time=TIME + time)
    run.event(other, {"m": 0}, time=TIME + 4)
    pages = pages_of(replayed(record(run.documents)))

    assert [page["data"]["n"][0] for page in pages if "n" in page["data"]] == [0, 1, 2, 3]
    assert list(pages[0]["data"]) == ["m"]


def test_several_descriptors_of_one_stream_are_interlaced_too(record: Record) -> None:
    pages = pages_of(replayed(record(made_up.several_descriptors_run(6))))

    assert [page["data"]["x"][0] for page in pages] == [index / 3 for index in range(6)]


@pytest.mark.parametrize("time", [None, "late", float("nan")])
def test_events_without_a_usable_time_are_replayed_too(record: Record, time: Any) -> None:
    run = RunBuilder("no time")
    one, other = run.descriptor({"n": 0}, "one"), run.descriptor({"n": 0}, "other")
    run.event(one, {"n": 0}, time=time)
    run.event(other, {"n": 1})
    run.event(one, {"n": 2})
    documents = replayed(record(run.documents))

    assert_same_documents(run.documents, documents)
    assert [page["data"]["n"][0] for page in pages_of(documents)] == [0, 1, 2]


# -- pages -----------------------------------------------------------------------------------------


def test_each_event_is_a_page_of_one_row(record: Record) -> None:
    documents = made_up.grid_run((2, 3))
    pages = pages_of(replayed(record(documents)))
    events = [doc for name, doc in documents if name == "event"]

    assert [page["uid"] for page in pages] == [[event["uid"]] for event in events]
    assert [page["seq_num"] for page in pages] == [[event["seq_num"]] for event in events]
    for page, event in zip(pages, events, strict=True):
        assert page["descriptor"] == event["descriptor"]
        assert page["data"] == {key: [value] for key, value in event["data"].items()}
        assert page["timestamps"] == {key: [time] for key, time in event["timestamps"].items()}


def test_without_strict_order_pages_are_large_and_streams_follow_each_other(
    record: Record,
) -> None:
    run = record(made_up.grid_run((2, 3)))
    pages = pages_of(replayed(run, strict_order=False))
    streams = {doc["uid"]: doc["name"] for doc in run._descriptors}

    assert [(streams[page["descriptor"]], len(page["uid"])) for page in pages] == [
        ("baseline", 2),
        ("primary", 6),
    ]
    assert_same_documents(made_up.grid_run((2, 3)), replayed(run, strict_order=False))


def test_many_events_are_replayed_a_few_thousand_at_a_time(record: Record) -> None:
    run = made_up.paged(made_up.simple_run(9000), 9000)
    recorded = record(run)
    pages = pages_of(replayed(recorded, strict_order=False))

    assert [len(page["uid"]) for page in pages] == [8192, 808]
    assert sum(len(page["uid"]) for page in pages_of(replayed(recorded))) == 9000


@pytest.mark.parametrize("strict_order", [True, False])
def test_an_event_that_lacks_a_key_is_replayed_without_it(
    record: Record, strict_order: bool
) -> None:
    run = RunBuilder("lacks")
    primary = run.descriptor({"x": 0, "y": 0})
    run.event(primary, {"x": 1, "y": 2})
    run.event(primary, {"x": 3})
    documents = replayed(record(run.documents), strict_order)

    assert [page["data"] for page in pages_of(documents)] == [{"x": [1], "y": [2]}, {"x": [3]}]


# -- which documents -------------------------------------------------------------------------------


def test_a_run_stop_that_a_later_one_superseded_comes_before_it(record: Record) -> None:
    run = record(made_up.two_stops_run())
    documents = replayed(run)

    assert [doc["exit_status"] for name, doc in documents if name == "stop"] == ["success", "fail"]
    assert run.stop == documents[-1][1]
    assert run.metadata["stop"]["reason"] == "Beam dump"


def test_an_open_run_has_no_run_stop(record: Record) -> None:
    run = record(made_up.no_stop_run())

    assert run.stop is run.metadata["stop"] is None
    assert "stop" not in names_of(replayed(run))


def test_documents_of_unknown_kinds_are_replayed_as_they_came(record: Record) -> None:
    inserted = made_up.unknown_kinds_run()
    documents = replayed(record(inserted))
    unknown = ("sample_change", "calibration", "remark")

    assert_identical(
        [dict(doc) for name, doc in inserted if name in unknown],
        [dict(doc) for name, doc in documents if name in unknown],
    )
    assert [name for name in names_of(documents) if name in unknown] == list(unknown)


def test_datums_of_one_resource_are_one_page(record: Record) -> None:
    inserted = made_up.external_run(3)
    documents = replayed(record(inserted))
    pages = [doc for name, doc in documents if name == "datum_page"]
    resources = [doc["uid"] for name, doc in inserted if name == "resource"]

    assert [page["resource"] for page in pages] == resources
    assert [page["datum_kwargs"] for page in pages] == [{"frame": [0, 1, 2]}] * 2
    assert pages[0]["datum_id"] == [f"{resources[0]}/{number}" for number in range(3)]


def test_datums_of_unlike_arguments_are_single_documents(record: Record) -> None:
    run = RunBuilder("unlike")
    resource = run.resource()
    run.datum(resource, 0, frame=1)
    run.datum(resource, 1, other=2)
    documents = replayed(record(run.documents))

    assert [doc["datum_kwargs"] for name, doc in documents if name == "datum"] == [
        {"frame": 1},
        {"other": 2},
    ]


@pytest.mark.parametrize("strict_order", [True, False])
@pytest.mark.parametrize(
    "make",
    [
        made_up.no_descriptors_run, made_up.no_events_run, made_up.rewound_run,
        made_up.late_documents_run, made_up.mixed_types_run, made_up.every_type_run,
        made_up.stream_datum_run, made_up.legacy_external_run,
    ],
)  # fmt: skip
def test_what_was_inserted_is_replayed(
    record: Record, make: Callable[[], Run], strict_order: bool
) -> None:
    assert_same_documents(make(), replayed(record(make()), strict_order))


@pytest.mark.filterwarnings("ignore:The Event Descriptor .* names no stream")
@settings(max_examples=25)
@given(strategies.runs())
def test_any_run_is_replayed_in_both_orders(documents: Run) -> None:
    catalog = Broker()
    for name, doc in documents:
        catalog.insert(name, doc)
    (run,) = catalog.values()

    assert_same_documents(documents, replayed(run))
    assert_same_documents(documents, replayed(run, strict_order=False))


# -- kinds, and fresh documents --------------------------------------------------------------------


def test_documents_are_of_their_kinds_and_pages_are_dicts(record: Record) -> None:
    kinds = {name: type(doc) for name, doc in replayed(record(made_up.external_run(1)))}

    assert kinds == {
        "start": Start,
        "descriptor": Descriptor,
        "resource": Resource,
        "datum_page": dict,
        "event_page": dict,
        "stop": Stop,
    }
    assert issubclass(DatumPage, Document)


LOOKS: dict[str, Callable[[BlueskyRun], Any]] = {
    "start": lambda run: run.start,
    "stop": lambda run: run.stop,
    "metadata": lambda run: run.metadata,
    "descriptors": lambda run: run.primary.descriptors,
    "metadata of a stream": lambda run: run.primary.metadata,
    "description": lambda run: run.describe(),
    "documents": lambda run: replayed(run),
    "large pages": lambda run: replayed(run, strict_order=False),
}


def nested_run() -> Run:
    run = RunBuilder("nested", sample={"names": ["quartz"], "at": {"x": 1}})
    run.other("remark", run_start=run.uid, words={"list": [1]})
    run.datum(run.resource(resource_kwargs={"list": [1]}), 0, where={"x": [1]})
    primary = run.descriptor({"x": [[1, 2], [3, 4]]}, hints={"fields": ["x"]})
    run.event(primary, {"x": [[1, 2], [3, 4]]})
    run.stop(num_events={"primary": 1}, notes=[{"a": [1]}])
    return run.documents


def spoil(value: Any) -> None:
    """Change every list, and every dict that can be changed, deep down."""
    items = list(value.values()) if isinstance(value, Mapping) else value
    if isinstance(value, Mapping | list | tuple):
        for item in items:
            spoil(item)
    if isinstance(value, list):
        value.append("spoiled")
    elif isinstance(value, dict) and not isinstance(value, Document):
        value["spoiled"] = True


@pytest.mark.parametrize("look", LOOKS)
def test_what_is_done_to_a_document_does_not_show_at_the_next_look(
    record: Record, look: str
) -> None:
    run = record(nested_run())
    expected = LOOKS[look](run)
    spoil(LOOKS[look](run))

    assert_identical(expected, LOOKS[look](run))
    assert "spoiled" not in repr(LOOKS[look](run))


def test_a_run_of_functions_gives_fresh_documents_too() -> None:
    documents = nested_run()
    start, stop = documents[0][1], documents[-1][1]
    descriptors = [doc for name, doc in documents if name == "descriptor"]
    run = BlueskyRun(
        lambda: start,
        lambda: stop,
        lambda: descriptors,
        lambda uid: [],
        lambda uid: 0,
        lambda uid: {},
        list,
        lambda datum_id: "",
        lambda resource: [],
        event_model.NoFiller,
    )
    spoil(run.start)
    spoil(run.stop)
    spoil(run.primary.descriptors)

    assert_identical(nested_run()[0][1], dict(run.start))
    assert "spoiled" not in repr([start, stop, descriptors])


def test_a_start_refuses_changes_and_says_how_to_get_a_copy(record: Record) -> None:
    run = record(nested_run())
    with pytest.raises(NotMutable, match="to_dict"):
        run.start["sample"] = None
    copy = run.start.to_dict()
    copy["sample"]["at"]["x"] = 2

    assert run.start["sample"]["at"] == {"x": 1}
