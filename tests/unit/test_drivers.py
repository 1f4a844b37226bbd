"""`databroker.open`, and the drivers that YAML files name."""

import os
from pathlib import Path
from typing import Any

import intake
import pytest
from intake.source.discovery import drivers

import databroker
from databroker._drivers.sqlite import BlueskySQLiteCatalog
from databroker.errors import (
    DatabrokerError,
    InvalidSettingError,
    InvalidStoreError,
    ReadOnlyStoreError,
)
from databroker.testing import documents as made_up
from databroker.testing.comparison import assert_same_documents
from databroker.v2 import Broker

RUN = made_up.simple_run(3, scan_id=7)


def record(catalog: Broker) -> Broker:
    for name, doc in RUN:
        catalog.insert(name, doc)
    return catalog


# -- what a path or a URI opens --------------------------------------------------------------------


def test_a_path_makes_a_store_and_opens_it_again(tmp_path: Path) -> None:
    for path in (tmp_path / "runs.db", str(tmp_path / "runs.db"), f"sqlite:///{tmp_path}/runs.db"):
        with databroker.open(path) as catalog:
            assert (type(catalog), catalog.name) == (Broker, "runs")
            record(catalog)

            assert len(catalog) == 1
            assert_same_documents(RUN, list(catalog[7].documents(fill="no")))


def test_a_path_that_looks_odd_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = ["no suffix", "100%.db", "a?b=c.db", "a#b.db", "a b.db", "ü.db"]
    for name in names:
        record(databroker.open(name)).close()

    assert sorted(os.listdir()) == sorted(names)
    assert [len(databroker.open(name, mode="read")) for name in names] == [1] * len(names)


def test_a_relative_uri_is_a_file_in_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    record(databroker.open("sqlite:///my%20runs.db")).close()

    assert os.listdir() == ["my runs.db"]


def test_a_store_in_memory_is_new_each_time() -> None:
    assert len(record(databroker.open("memory:"))) == 1
    assert len(databroker.open("memory:")) == 0
    assert databroker.open("memory:").name == "memory"


def test_settings_go_to_the_catalog() -> None:
    catalog = databroker.open(
        "memory:",
        name="mine",
        handler_registry={"A": "builtins.dict"},
        root_map={"/old": "/new"},
        transforms={"start": "builtins.dict"},
        filler_class="event_model.Filler",
        metadata={"beamline": 7},
    )

    assert repr(catalog) == "<Intake catalog: mine>"
    assert dict(catalog.handler_registry) == {"A": dict}
    assert catalog.root_map == {"/old": "/new"}
    assert catalog.metadata == {"beamline": 7}


# -- what cannot be opened -------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["postgresql", "mongodb", "https", "foo+bar"])
def test_an_unknown_scheme_is_named_with_those_that_there_are(scheme: str) -> None:
    with pytest.raises(InvalidStoreError, match=r"begins with one of: memory:, sqlite:") as caught:
        databroker.open(f"{scheme}://host/db")
    assert f"{scheme}:" in str(caught.value)


@pytest.mark.parametrize(
    "uri",
    [
        "mongodb://me:s3cret@host/db",
        "mongodb://me:s3cret%40@host1,host2/db?authSource=admin",
        "postgresql://me:s3cret/with/slashes@host/db",
        "postgresql://host/db?user=me&password=s3cret",
        "postgresql:me:s3cret@host",
    ],
)
def test_a_password_is_not_shown(uri: str) -> None:
    with pytest.raises(InvalidStoreError) as caught:
        databroker.open(uri)
    shown = f"{caught.value} {caught.value.__cause__} {caught.value.__context__}"
    assert "s3cret" not in shown


@pytest.mark.parametrize("uri", [None, 3, b"runs.db", ["runs.db"]])
def test_what_is_no_path_is_refused(uri: Any) -> None:
    with pytest.raises(InvalidSettingError, match="a path or a URI"):
        databroker.open(uri)


@pytest.mark.parametrize("uri", ["", "sqlite:", "sqlite://"])
def test_a_path_that_is_empty_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uri: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DatabrokerError):
        databroker.open(uri)
    assert os.listdir() == []


@pytest.mark.parametrize("uri", ["memory:", "runs.db"])
def test_an_unknown_option_is_named_and_nothing_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uri: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidSettingError, match="handlers"):
        databroker.open(uri, handlers={})
    assert os.listdir() == []


def test_an_option_in_a_uri_that_is_not_known_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidSettingError, match="nothing"):
        databroker.open("sqlite:///runs.db?nothing=1")


def test_an_option_of_another_store_is_refused() -> None:
    with pytest.raises(InvalidSettingError, match="'memory:': mode"):
        databroker.open("memory:", mode="read")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mode": "append"}, "'write', 'read' or None, not 'append'"),
        ({"transforms": ["start"]}, "transforms must be None or a dictionary"),
        ({"handler_registry": {"A": "Handler"}}, "'Handler' is no place to import from"),
        ({"filler_class": "Filler"}, "'Filler' is no place to import from"),
    ],
)
def test_settings_that_make_no_sense_are_refused(
    tmp_path: Path, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidSettingError, match=message):
        databroker.open(tmp_path / "runs.db", **settings)


# -- YAML files ------------------------------------------------------------------------------------

YAML = """
sources:
  beamline:
    description: Runs of the beamline
    driver: bluesky-sqlite-catalog
    args:
      path: "{{ CATALOG_DIR }}/runs.db"
      handler_registry: {}
  archive:
    driver: bluesky-sqlite-catalog
    args:
      path: "{{ CATALOG_DIR }}/runs.db"
      mode: read
      handler_registry: {}
  missing:
    driver: bluesky-sqlite-catalog
    args:
      path: "{{ CATALOG_DIR }}/missing.db"
      mode: read
"""


@pytest.fixture
def catalogs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Open a YAML file as intake does, which has found our driver among the installed ones."""
    monkeypatch.setitem(drivers.registered(), "bluesky-sqlite-catalog", BlueskySQLiteCatalog)
    (tmp_path / "catalogs.yml").write_text(YAML)
    return intake.open_catalog(str(tmp_path / "catalogs.yml"))


def test_a_catalog_of_a_yaml_file_records(catalogs: Any, tmp_path: Path) -> None:
    with catalogs["beamline"] as catalog:
        record(catalog)

        assert type(catalog) is BlueskySQLiteCatalog
        assert isinstance(catalog, Broker)
        assert catalog[7].primary.read()["detector"].values.tolist() == [0, 1, 8]
        assert type(catalog.search({"scan_id": 7})) is BlueskySQLiteCatalog
        assert catalog[7].metadata["catalog_dir"].rstrip("/") == str(tmp_path)
    with databroker.open(tmp_path / "runs.db", mode="read") as again:
        assert list(again) == [RUN[0][1]["uid"]]


def test_a_catalog_of_a_yaml_file_may_be_for_reading(catalogs: Any, tmp_path: Path) -> None:
    record(databroker.open(tmp_path / "runs.db")).close()
    with catalogs.archive as catalog:
        assert list(catalog) == [RUN[0][1]["uid"]]
        with pytest.raises(ReadOnlyStoreError):
            catalog.insert("start", {"uid": "a", "time": 1.0})


def test_catalogs_of_a_yaml_file_are_listed_before_they_are_opened(
    catalogs: Any, tmp_path: Path
) -> None:
    assert sorted(catalogs) == ["archive", "beamline", "missing"]
    assert os.listdir(tmp_path) == ["catalogs.yml"]


def test_a_store_of_a_yaml_file_that_is_missing_is_named(catalogs: Any) -> None:
    with pytest.raises(InvalidStoreError, match=r"no store .*missing\.db to read"):
        catalogs["missing"]


def test_a_run_of_a_yaml_file_is_reached_by_a_path(catalogs: Any) -> None:
    record(catalogs["beamline"])

    assert catalogs["beamline", 7, "primary"].read().sizes == {"time": 3}
