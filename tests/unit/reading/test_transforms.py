"""Functions that patch documents on their way out."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import pytest

from databroker.core import BlueskyRun
from databroker.reading.transforms import TRANSFORMED, parse_transforms
from databroker.testing import documents as made_up
from databroker.v2 import Broker

Record: TypeAlias = Callable[..., BlueskyRun]


def marking(kind: str) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    return lambda doc: {**doc, "seen as": kind}


LOOKS: dict[str, list[Callable[[BlueskyRun], Mapping[str, Any]]]] = {
    "start": [
        lambda run: run.start,
        lambda run: run.metadata["start"],
        lambda run: run.describe()["metadata"]["start"],
        lambda run: run.primary.metadata["start"],
    ],
    "stop": [
        lambda run: run.stop or {},
        lambda run: run.metadata["stop"],
        lambda run: run.primary.metadata["stop"],
    ],
    "descriptor": [
        lambda run: run._descriptors[0],
        lambda run: run.primary.descriptors[0],
        lambda run: run.primary.metadata["descriptors"][0],
    ],
    "resource": [],
}


@pytest.mark.parametrize("kind", TRANSFORMED)
def test_a_transform_changes_every_document_of_its_kind_and_no_other(
    record: Record, kind: str
) -> None:
    run = record(made_up.external_run(2), transforms={kind: marking(kind)})
    replayed = [(name, "seen as" in doc) for name, doc in run.documents(fill="no")]

    assert {name for name, seen in replayed if seen} == {kind}
    assert all(seen for name, seen in replayed if name == kind)
    assert [look(run)["seen as"] for look in LOOKS[kind]] == [kind] * len(LOOKS[kind])


def test_documents_keep_their_class(record: Record) -> None:
    run = record(made_up.external_run(1), transforms={kind: marking(kind) for kind in TRANSFORMED})
    classes = {name: type(doc).__name__ for name, doc in run.documents(fill="no")}

    assert classes["start"] == "Start"
    assert classes["stop"] == "Stop"
    assert classes["descriptor"] == "Descriptor"
    assert classes["resource"] == "Resource"


def test_a_transform_may_change_what_it_is_given(record: Record) -> None:
    def count(doc: Any) -> Any:
        doc["nested"]["count"] = doc["nested"].get("count", 0) + 1
        return doc

    run = record(made_up.simple_run(nested={}), transforms={"start": count})

    assert [run.start["nested"]["count"] for _ in range(3)] == [1, 1, 1]


def test_searches_see_what_was_recorded(record: Record) -> None:
    run = record(made_up.simple_run(), transforms={"start": marking("start")})

    assert len(run.cat.search({"seen as": "start"})) == 0
    assert run.cat.search({"plan_name": "scan"})[-1].start["seen as"] == "start"


def test_a_transformed_descriptor_says_how_data_are_labeled(record: Record) -> None:
    def with_units(doc: Any) -> Any:
        doc["data_keys"]["motor"]["units"] = "mm"
        return doc

    run = record(made_up.simple_run(), transforms={"descriptor": with_units})

    assert run.primary.read()["motor"].attrs["units"] == "mm"


def test_a_transformed_resource_says_how_data_are_opened(record: Record) -> None:
    class Path:
        def __init__(self, path: Any, **kwargs: Any) -> None:
            self.length = len(str(path))

        def __call__(self, frame: int) -> int:
            return self.length

    run = record(
        made_up.external_run(1),
        handler_registry={"PATH": Path},
        transforms={"resource": lambda doc: {**doc, "spec": "PATH", "root": "/a/much/longer"}},
    )
    (page,) = (doc for name, doc in run.documents(fill="yes") if name == "event_page")

    assert page["data"]["image"][0] == len("/a/much/longer/made/up.tiff")


def test_a_run_is_configured_with_other_transforms() -> None:
    catalog = Broker()
    for name, doc in made_up.simple_run():
        catalog.insert(name, doc)
    run = catalog[-1]
    other = run.configure_new(transforms={"start": marking("other")})

    assert other.start["seen as"] == "other"
    assert "seen as" not in run.start
    assert other.primary.metadata["start"]["seen as"] == "other"


def test_a_kind_without_a_transform_is_left_as_it_is() -> None:
    document = {"uid": "abc"}

    assert list(parse_transforms(None)) == list(TRANSFORMED)
    assert parse_transforms({"start": None})["start"](document) is document
