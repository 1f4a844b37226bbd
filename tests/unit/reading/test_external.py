"""External data: Resources and Datums, and the handlers that open them."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import dask.array
import event_model
import numpy as np
import pytest

from databroker.core import BlueskyRun
from databroker.testing import documents as made_up
from databroker.testing.documents import Run, RunBuilder, data_key
from databroker.v2 import Broker

Record: TypeAlias = Callable[..., BlueskyRun]

SHAPE = (5, 6)


class Frames:
    """Opens every Datum as an image that is filled with its number."""

    opened: list[str]
    factor = 1

    def __init__(self, path: Any, **resource_kwargs: Any) -> None:
        self.opened.append(str(path))

    def __call__(self, frame: int) -> np.ndarray:
        return np.full(SHAPE, self.factor * frame, dtype="uint16")


class DarkFrames(Frames):
    """Opens the Resources of the other spec."""

    factor = 10


class Unreadable(Frames):
    """Finds no file."""

    def __call__(self, frame: int) -> np.ndarray:
        raise FileNotFoundError("There is no file.")


class Growing(Frames):
    """Opens images of which no two have one shape."""

    def __call__(self, frame: int) -> np.ndarray:
        return np.full(frame + 1, frame)


HANDLERS = {"MADE_UP": Frames, "ANOTHER": DarkFrames}


@pytest.fixture(autouse=True)
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the paths that handlers were asked to open."""
    paths: list[str] = []
    monkeypatch.setattr(Frames, "opened", paths, raising=False)
    return paths


def pages_of(run: BlueskyRun, fill: str, strict_order: bool = True) -> list[Mapping[str, Any]]:
    documents = run.documents(fill=fill, strict_order=strict_order)
    return [doc for name, doc in documents if name == "event_page"]


def first_pixels(values: Any) -> list[int]:
    return np.asarray(values)[:, 0, 0].tolist()


# -- documents -------------------------------------------------------------------------------------


@pytest.mark.parametrize("strict_order", [True, False])
def test_unfilled_documents_hold_datum_ids_and_open_nothing(
    record: Record, opened: list[str], strict_order: bool
) -> None:
    inserted = made_up.external_run(3)
    run = record(inserted, handler_registry=HANDLERS)
    pages = pages_of(run, "no", strict_order)
    datum_ids = [doc["data"]["image"] for name, doc in inserted if name == "event"]

    assert [each for page in pages for each in page["data"]["image"]] == datum_ids
    assert [each for page in pages for each in page["filled"]["image"]] == [False] * 3
    assert opened == []


@pytest.mark.parametrize("strict_order", [True, False])
def test_filled_documents_hold_arrays(record: Record, strict_order: bool) -> None:
    inserted = made_up.external_run(3)
    pages = pages_of(record(inserted, handler_registry=HANDLERS), "yes", strict_order)
    images = [image for page in pages for image in page["data"]["image"]]
    dark = [image for page in pages for image in page["data"]["dark"]]
    datum_ids = [doc["data"]["image"] for name, doc in inserted if name == "event"]

    assert [type(image) for image in images] == [np.ndarray] * 3
    assert {image.shape for image in images} == {SHAPE}
    assert first_pixels(images) == [0, 1, 2]
    assert first_pixels(dark) == [0, 10, 20]
    assert [each for page in pages for each in page["filled"]["image"]] == datum_ids


def test_delayed_documents_hold_dask_arrays(record: Record) -> None:
    pages = pages_of(record(made_up.external_run(3), handler_registry=HANDLERS), "delayed")
    images = [page["data"]["image"][0] for page in pages]

    assert [type(image) for image in images] == [dask.array.Array] * 3
    assert {image.shape for image in images} == {SHAPE}
    assert first_pixels([image.compute() for image in images]) == [0, 1, 2]


def test_filling_changes_nothing_but_the_events(record: Record) -> None:
    run = record(made_up.external_run(2), handler_registry=HANDLERS)
    others = [
        [(name, doc) for name, doc in run.documents(fill=fill) if name != "event_page"]
        for fill in ("no", "yes", "delayed")
    ]

    assert others[0] == others[1] == others[2]
    assert [name for name, _ in others[0]] == [
        "start", "descriptor", "resource", "resource", "datum_page", "datum_page", "stop"
    ]  # fmt: skip


def test_handlers_are_given_the_path_under_the_root(record: Record, opened: list[str]) -> None:
    run = record(
        made_up.external_run(1), handler_registry=HANDLERS, root_map={"/data": "/elsewhere"}
    )
    run.primary.read()

    assert set(opened) == {"/elsewhere/made/up.tiff"}


# -- datasets --------------------------------------------------------------------------------------


def test_a_dataset_holds_the_images(record: Record) -> None:
    dataset = record(made_up.external_run(3), handler_registry=HANDLERS).primary.read()

    assert dataset["image"].shape == (3, *SHAPE)
    assert dataset["image"].dtype == np.uint16
    assert first_pixels(dataset["image"]) == [0, 1, 2]
    assert first_pixels(dataset["dark"]) == [0, 10, 20]
    assert dataset["x"].values.tolist() == [0.0, 1 / 3, 2 / 3]
    assert dataset["image"].values.flags.writeable


def test_a_lazy_dataset_computes_the_images(record: Record) -> None:
    stream = record(made_up.external_run(3), handler_registry=HANDLERS).primary
    lazy = stream.to_dask()

    assert isinstance(lazy["image"].data, dask.array.Array)
    assert first_pixels(lazy["image"].compute()) == [0, 1, 2]
    assert first_pixels(stream["dark"].compute()) == [0, 10, 20]


def test_a_legacy_run_is_read(record: Record) -> None:
    dataset = record(made_up.legacy_external_run(), handler_registry=HANDLERS).primary.read()

    assert first_pixels(dataset["image"]) == [0, 1]


def test_images_of_several_descriptors_are_one_column(record: Record) -> None:
    run = RunBuilder("two descriptors")
    image = data_key(np.zeros(SHAPE), external="FILESTORE:")
    resource = run.resource()
    for number in range(4):
        descriptor = run.descriptor({}, data_keys={"image": image})
        datum = run.datum(resource, number, frame=number)
        run.event(descriptor, {"image": datum}, filled={"image": False})
    dataset = record(run.documents, handler_registry=HANDLERS).primary.read()

    assert first_pixels(dataset["image"]) == [0, 1, 2, 3]


def test_images_of_several_shapes_are_objects(record: Record) -> None:
    handlers = {"MADE_UP": Growing, "ANOTHER": DarkFrames}
    dataset = record(made_up.external_run(3), handler_registry=handlers).primary.read()

    assert dataset["image"].dtype == object
    assert [image.tolist() for image in dataset["image"].values] == [[0], [1, 1], [2, 2, 2]]
    assert first_pixels(dataset["dark"]) == [0, 10, 20]


def test_a_stream_without_events_has_the_declared_shape(record: Record) -> None:
    dataset = record(made_up.external_run(0), handler_registry=HANDLERS).primary.read()

    assert dataset["image"].shape == (0, *SHAPE)


# -- without a handler -----------------------------------------------------------------------------


def test_without_a_handler_everything_else_is_there(record: Record) -> None:
    run = record(made_up.external_run(2))

    assert run.primary.read(["x"])["x"].values.tolist() == [0.0, 1 / 3]
    assert list(run.primary(exclude=["image", "dark"]).read().data_vars) == ["x"]
    assert run.primary.timestamps.read()["image"].shape == (2,)
    assert run.primary["x"].compute().values.tolist() == [0.0, 1 / 3]
    assert len(pages_of(run, "no")) == 2
    assert str(run).endswith("* primary  (2 Events)")


def test_one_handler_reads_the_columns_of_its_spec(record: Record) -> None:
    stream = record(made_up.external_run(2), handler_registry={"MADE_UP": Frames}).primary

    assert first_pixels(stream.read(["x", "image"])["image"]) == [0, 1]


def test_filling_without_a_handler_names_the_spec(record: Record) -> None:
    run = record(made_up.external_run(1), handler_registry={"MADE_UP": Frames})
    with pytest.raises(event_model.UndefinedAssetSpecification, match="'ANOTHER'"):
        pages_of(run, "yes")


def catalog_of(documents: Run, **settings: Any) -> Broker:
    catalog = Broker(**{"handler_registry": {}, **settings})
    for name, doc in documents:
        catalog.insert(name, doc)
    return catalog


def test_filling_without_the_file_names_the_resource() -> None:
    """It takes seconds: a Filler waits for files that may still be on their way."""
    handlers = {"MADE_UP": Unreadable, "ANOTHER": DarkFrames}
    run = catalog_of(made_up.external_run(1), handler_registry=handlers)[-1]
    with pytest.raises(event_model.DataNotAccessible, match=r"made/up\.tiff"):
        pages_of(run, "yes")


# -- handlers that come and go ---------------------------------------------------------------------


def test_a_handler_serves_runs_that_were_looked_up_before_it_came() -> None:
    catalog = catalog_of(made_up.external_run(2))
    run, found = catalog[-1], catalog.search({})[-1]
    for spec, handler in HANDLERS.items():
        catalog.register_handler(spec, handler)

    assert first_pixels(run.primary.read()["dark"]) == [0, 10]
    assert first_pixels(found.primary.read()["dark"]) == [0, 10]
    catalog.deregister_handler("ANOTHER")
    with pytest.raises(event_model.UndefinedAssetSpecification):
        pages_of(run, "yes")


def test_a_replaced_handler_is_used_at_once() -> None:
    catalog = catalog_of(made_up.external_run(2), handler_registry=HANDLERS)
    run = catalog[-1]
    before = first_pixels(run.primary.read()["image"])
    catalog.register_handler("MADE_UP", DarkFrames, overwrite=True)

    assert (before, first_pixels(run.primary.read()["image"])) == ([0, 1], [0, 10])


def test_the_root_map_of_a_catalog_can_be_changed(opened: list[str]) -> None:
    root_map = {"/data": "/first"}
    catalog = catalog_of(made_up.external_run(1), handler_registry=HANDLERS, root_map=root_map)
    stream = catalog[-1].primary
    stream.read(["image"])
    catalog.root_map["/data"] = "/second"
    stream.read(["image"])
    root_map.clear()
    catalog.search({})[-1].primary.read(["image"])

    assert [path.removesuffix("/made/up.tiff") for path in dict.fromkeys(opened)] == [
        "/first",
        "/second",
        "/data",
    ]


def test_a_filler_class_makes_the_fillers() -> None:
    made: list[Any] = []

    class CountedFiller(event_model.Filler):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            made.append(kwargs["root_map"])
            super().__init__(*args, **kwargs)

    catalog = catalog_of(
        made_up.external_run(1),
        handler_registry=HANDLERS,
        filler_class=CountedFiller,
        root_map={"/data": "/elsewhere"},
    )

    assert len(pages_of(catalog[-1], "yes")) == 1
    assert made == [{"/data": "/elsewhere"}]
