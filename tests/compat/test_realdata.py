"""Runs of real beamlines and tutorials are read as databroker 1.2.5 read them."""

import functools
import gzip
import hashlib
import importlib.util
import json
import runpy
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import msgpack
import msgpack_numpy
import numpy as np
import pytest
import xarray
import yaml

import databroker
from databroker.core import BlueskyEventStream, BlueskyRun
from databroker.testing.comparison import assert_same_documents
from databroker.v2 import Broker

REALDATA = Path(__file__).parents[3] / "shared" / "realdata"

if not REALDATA.is_dir():
    pytest.skip(f"the folder of real Runs is absent: {REALDATA}", allow_module_level=True)

GOLDEN = json.loads((REALDATA / "golden_databroker_1.2.5.json").read_text(encoding="utf-8"))
HANDLERS = runpy.run_path(str(REALDATA / "handlers.py"))["HANDLERS"]
COMPRESSED_HDF5 = "polartools_lambda250k"
READS_COMPRESSED_HDF5 = all(map(importlib.util.find_spec, ("h5py", "hdf5plugin")))

Named: TypeAlias = tuple[str, dict[str, Any]]


# -- the sources -----------------------------------------------------------------------------------


def msgpack_documents(path: Path) -> Iterator[Named]:
    with path.open("rb") as file:
        yield from msgpack.Unpacker(file, object_hook=msgpack_numpy.decode)


def jsonl_documents(path: Path) -> Iterator[Named]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            name, doc = json.loads(line)
            yield name, doc


def gzipped_documents(path: Path) -> Iterator[Named]:
    with gzip.open(path) as file:
        yield from json.load(file)


READERS: dict[str, Callable[[Path], Iterator[Named]]] = {
    ".msgpack": msgpack_documents,
    ".jsonl": jsonl_documents,
    ".gz": gzipped_documents,
}


@dataclass(frozen=True)
class Source:
    """Files of documents in one folder, and what 1.2.5 answers about them."""

    folder: str
    pattern: str
    answers: str

    @property
    def golden(self) -> dict[str, Any]:
        return GOLDEN["sources"][self.answers]

    def documents(self) -> list[Named]:
        paths = sorted((REALDATA / self.folder).glob(self.pattern))
        return [item for path in paths for item in READERS[path.suffix](path)]

    def root_map(self) -> dict[str, str]:
        """Return where the external files are: beside the catalog's YAML file."""
        catalog = REALDATA / self.folder / "catalog.yml"
        if not catalog.exists():
            return {}
        text = yaml.safe_load(catalog.read_text(encoding="utf-8"))
        roots = text["sources"]["packed_catalog"]["args"]["root_map"]
        return {old: str(catalog.parent / new) for old, new in roots.items()}


def pack(folder: str) -> Source:
    return Source(folder, "documents/*.msgpack", folder)


SOURCES = {
    "apstools": pack("apstools/apstools_test"),
    "apstools, single events": Source("apstools", "*.json.gz", "apstools/apstools_test"),
    "bluesky_tutorials": Source("bluesky_tutorials", "*.jsonl", "bluesky_tutorials"),
    "simple pack": pack("databroker_pack_tests/simple_catalog"),
    "another pack": pack("databroker_pack_tests/another_simple_catalog"),
    "polartools": pack(COMPRESSED_HDF5),
    "wrighttools": Source("wrighttools", "*.msgpack", "wrighttools"),
}
RUNS = [
    pytest.param(source, uid, id=f"{name}-{uid[:8]}")
    for name, source in SOURCES.items()
    for uid in source.golden["runs"]
]
SPOT_CHECKED = [
    pytest.param(source, uid, id=f"{name}-{uid[:8]}")
    for name, source in SOURCES.items()
    for uid in list(source.golden["runs"])[:2]
]

CatalogOf: TypeAlias = Callable[[Source], Broker]


@pytest.fixture(scope="module")
def catalog_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CatalogOf]:
    """Open the Runs of a source, once."""
    with ExitStack() as opened:

        @functools.cache
        def catalog_of(source: Source) -> Broker:
            catalog = opened.enter_context(
                databroker.open(
                    tmp_path_factory.mktemp("runs") / "runs.db",
                    handler_registry=HANDLERS,
                    root_map=source.root_map(),
                )
            )
            for name, doc in source.documents():
                catalog.insert(name, doc)
            catalog.flush()
            return catalog

        yield catalog_of


# -- describing what is read, as the recorded answers do -------------------------------------------


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def document_sha(doc: Mapping[str, Any] | None) -> str | None:
    if doc is None:
        return None
    return digest(json.dumps(doc, sort_keys=True, default=np.ndarray.tolist).encode())


KINDS = {"f": "float", "i": "int", "u": "uint", "b": "bool", "U": "str", "O": "object"}

SHORT = 16
"""Up to how many elements a row was recorded as it is."""


def if_short(row: Any) -> Any:
    return row.tolist() if row.size <= SHORT else None


MEASURES: dict[str, Callable[[xarray.DataArray], Any]] = {
    "dims": lambda array: list(array.dims),
    "shape": lambda array: list(array.shape),
    "kind": lambda array: KINDS[array.dtype.kind],
    "dtype": lambda array: str(array.dtype),
    "first": lambda array: if_short(array.values[0]),
    "last": lambda array: if_short(array.values[-1]),
    "nansum": lambda array: float(np.nansum(array.values.astype(float))),
    "nans": lambda array: int(np.isnan(array.values.astype(float)).sum()),
    "sha256": lambda array: digest(np.ascontiguousarray(array.values).tobytes()),
    "text_sha256": lambda array: digest(json.dumps(array.values.tolist()).encode()),
}


def measured(array: xarray.DataArray, expected: Mapping[str, Any]) -> dict[str, Any]:
    """Measure an array as a recorded one was measured."""
    return {name: MEASURES[name](array) for name in expected}


def assert_dataset(expected: Mapping[str, Any], dataset: xarray.Dataset) -> None:
    assert dict(dataset.sizes) == expected["dims"]
    assert sorted(map(str, dataset.coords)) == expected["coords"]
    actual = {
        str(name): measured(dataset[name], expected["variables"].get(name, {"shape": None}))
        for name in dataset.variables
    }
    np.testing.assert_equal(actual, expected["variables"])


def binding(dataset: Mapping[str, Any], without: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Leave out what does not bind: the dtype of strings, and variables that cannot be read."""
    variables = {
        name: {
            measure: value
            for measure, value in variable.items()
            if measure != "dtype" or variable["kind"] != "str"
        }
        for name, variable in dataset["variables"].items()
        if name not in without
    }
    dims = {
        dim: size
        for variable in variables.values()
        for dim, size in zip(variable["dims"], variable["shape"], strict=True)
    }
    return {"coords": dataset["coords"], "dims": dims, "variables": variables}


def unwrapped(dataset: Mapping[str, Any]) -> dict[str, Any]:
    """Say datum_ids in a configuration as we read them: texts, which 1.x wrapped as images."""
    variables = {name: as_text(variable) for name, variable in dataset["variables"].items()}
    return {**dataset, "variables": variables}


def as_text(variable: Mapping[str, Any]) -> Mapping[str, Any]:
    match variable:
        case {"kind": "str", "shape": [1, 1, 1], "first": [[text]]}:
            told = {"first": text, "last": text, "text_sha256": digest(json.dumps([text]).encode())}
            return {**variable, "dims": ["time"], "shape": [1], **told}
        case _:
            return variable


def unreadable(source: Source, stream: BlueskyEventStream) -> frozenset[str]:
    """Return the data keys that cannot be read here: compressed images without a reader."""
    if source.folder != COMPRESSED_HDF5 or READS_COMPRESSED_HDF5:
        return frozenset()
    return frozenset(
        name
        for descriptor in stream.metadata["descriptors"]
        for name, data_key in descriptor["data_keys"].items()
        if "external" in data_key
    )


# -- tests -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_the_runs_are_counted_listed_and_searched_as_in_1x(
    source: Source, catalog_of: CatalogOf
) -> None:
    catalog = catalog_of(source)

    assert {
        "n_runs": len(catalog),
        "newest": catalog[-1].metadata["start"]["uid"],
        "order": sorted(catalog),
        "n_scan": len(catalog.search({"plan_name": "scan"})),
        "n_count": len(catalog.search({"plan_name": "count"})),
        "problems": catalog.problems(),
    } == {
        "n_runs": source.golden["n_runs"],
        "newest": source.golden["newest"],
        "order": sorted(source.golden["order"]),
        "n_scan": source.golden["n_scan"],
        "n_count": source.golden["n_count"],
        "problems": [],
    }


@pytest.mark.parametrize(("source", "uid"), RUNS)
def test_the_metadata_of_a_run_are_those_of_1x(
    source: Source, uid: str, catalog_of: CatalogOf
) -> None:
    expected = source.golden["runs"][uid]
    run: BlueskyRun = catalog_of(source)[uid]
    start, stop = run.metadata["start"], run.metadata["stop"]

    assert {
        "uid": start["uid"],
        "scan_id": start["scan_id"],
        "plan_name": start["plan_name"],
        "time": start["time"],
        "exit_status": stop["exit_status"] if stop else None,
        "streams": sorted(run),
        "start_sha": document_sha(start),
        "stop_sha": document_sha(stop),
    } == {
        name: expected[name]
        for name in (
            "uid",
            "scan_id",
            "plan_name",
            "time",
            "exit_status",
            "streams",
            "start_sha",
            "stop_sha",
        )
    }


@pytest.mark.parametrize(("source", "uid"), RUNS)
def test_the_documents_of_a_run_are_those_of_1x(
    source: Source, uid: str, catalog_of: CatalogOf
) -> None:
    rows = {"event_page": ("event", "seq_num"), "datum_page": ("datum", "datum_id")}
    names, counts = [], Counter[str]()
    for name, doc in catalog_of(source)[uid].documents(fill="no"):
        kind, column = rows.get(name, (name, None))
        names.append(kind)
        counts[kind] += len(doc[column]) if column else 1

    assert {"counts": counts, "first": names[0], "last": names[-1]} == (
        source.golden["runs"][uid]["documents"]
    )


@pytest.mark.parametrize(("source", "uid"), RUNS)
def test_the_data_of_a_run_are_those_of_1x(source: Source, uid: str, catalog_of: CatalogOf) -> None:
    run: BlueskyRun = catalog_of(source)[uid]
    for name, expected in source.golden["runs"][uid]["data"].items():
        stream = run[name]
        without = unreadable(source, stream)
        assert len(stream.metadata["descriptors"]) == expected["n_descriptors"]
        assert_dataset(binding(expected["read"], without), stream(exclude=without).read())


@pytest.mark.parametrize(("source", "uid"), RUNS)
def test_the_configuration_of_a_run_is_that_of_1x(
    source: Source, uid: str, catalog_of: CatalogOf
) -> None:
    run: BlueskyRun = catalog_of(source)[uid]
    for name, expected in source.golden["runs"][uid]["data"].items():
        config = run[name].config
        assert set(expected["config"]) <= set(config)
        for device, recorded in expected["config"].items():
            assert_dataset(binding(unwrapped(recorded)), config[device].read())


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_what_was_inserted_is_given_back(source: Source, catalog_of: CatalogOf) -> None:
    given = [item for run in catalog_of(source).values() for item in run.documents(fill="no")]

    assert_same_documents(source.documents(), given)


@pytest.mark.parametrize(("source", "uid"), SPOT_CHECKED)
def test_inserting_a_run_again_changes_nothing(
    source: Source, uid: str, catalog_of: CatalogOf
) -> None:
    catalog = catalog_of(source)
    count = len(catalog)
    before = list(catalog[uid].documents(fill="no"))

    for name, doc in before:
        catalog.insert(name, doc)
    catalog.flush()

    assert len(catalog) == count
    assert catalog.problems() == []
    assert_same_documents(before, catalog[uid].documents(fill="no"))
