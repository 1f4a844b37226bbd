import copy
import pickle
import subprocess
import sys
import threading
from datetime import UTC, date, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import numpy
import pytest

from databroker import errors, utils
from databroker.errors import InvalidQueryError, UnknownTimeZoneError
from databroker.utils import ALL, LazyMap, normalize_human_friendly_time


class OfPytz(tzinfo):
    """A time zone as pytz makes it: taken as it is, its offset is that of long ago."""

    zone = "US/Eastern"

    def utcoffset(self, when):
        return timedelta(hours=-4, minutes=-56)

    def dst(self, when):
        return timedelta(0)

    def tzname(self, when):
        return "LMT"


NEW_YEAR_NEW_YORK = 1767243600.0


@pytest.mark.parametrize(
    ("time", "seconds"),
    [
        ("2026", 1767243600.0),
        (" 2026 ", 1767243600.0),
        ("2026-11", 1793505600.0),
        ("2026-11-22", 1795323600.0),
        ("2026-1-2", 1767330000.0),
        ("2026-11-22 10", 1795359600.0),
        ("2026-11-22 10:11", 1795360260.0),
        ("2026-11-22 10:11:12", 1795360272.0),
        ("2026-11-22T10:11:12", 1795360272.0),
        ("2026-11-22 10:11:12.5", 1795360272.5),
        ("2026-11-22T10:11:12Z", 1795342272.0),
        ("2026-11-22 10:11:12+02:00", 1795335072.0),
        (datetime(2026, 1, 1), 1767243600.0),  # noqa: DTZ001
        (datetime(2026, 1, 1, tzinfo=UTC), 1767225600.0),
        (date(2026, 1, 1), 1767243600.0),
        (datetime(2026, 11, 1, 1, 30, fold=1), 1793514600.0),  # noqa: DTZ001
        ("1900", -2208970800.0),
        ("9999-12-31 23:59:59", 253402318799.0),
        (5, 5.0),
        (5.5, 5.5),
        (numpy.float64(3), 3.0),
        (numpy.int64(3), 3.0),
    ],
)
def test_human_times_become_seconds(time, seconds):
    assert normalize_human_friendly_time(time, "US/Eastern") == seconds
    assert type(normalize_human_friendly_time(time, "US/Eastern")) is float


@pytest.mark.parametrize("zone", ["US/Eastern", ZoneInfo("America/New_York"), OfPytz()])
def test_time_zones_come_by_name_or_as_objects(zone):
    assert normalize_human_friendly_time("2026", zone) == NEW_YEAR_NEW_YORK


@pytest.mark.parametrize(
    "time", ["22", "20261122", "2026-11-22-10", "Nov 2026", "2026/11/22", None, 1j]
)
def test_what_is_no_time_is_refused(time):
    with pytest.raises(InvalidQueryError, match="time"):
        normalize_human_friendly_time(time, "UTC")


@pytest.mark.parametrize(
    ("time", "what"), [("2026-03-08 02:30", "never"), ("2026-11-01 01:30", "twice")]
)
def test_a_time_that_clocks_skip_or_show_twice_is_refused(time, what):
    with pytest.raises(ValueError, match=what):
        normalize_human_friendly_time(time, "US/Eastern")


@pytest.mark.parametrize("zone", ["Nowhere", "", "../etc", 5])
def test_an_unknown_time_zone_is_refused(zone):
    with pytest.raises(UnknownTimeZoneError, match="time zone"):
        normalize_human_friendly_time("2026", zone)


def test_without_a_name_the_clock_of_this_computer_counts():
    program = (
        "from databroker.utils import local_time_zone, normalize_human_friendly_time as seconds\n"
        "print(local_time_zone(), seconds('2026'))\n"
        "try:\n"
        "    seconds('2026-03-08 02:30')\n"
        "except ValueError as error:\n"
        "    print('never' in str(error))\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program],
        env={"TZ": "EST5EDT4,M3.2.0,M11.1.0"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert answer.stdout == f"None {NEW_YEAR_NEW_YORK}\nTrue\n"


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        ({"since": "2026", "until": 3}, {"time": {"$gte": 1767225600.0, "$lte": 3.0}}),
        ({"start_time": "2026", "a": 1}, {"a": 1, "time": {"$gte": 1767225600.0}}),
        ({"stop_time": 5, "time": 1}, {"time": {"$lte": 5.0}}),
        ({"since": None, "until": None}, {}),
        ({"a": 1, "time": 1}, {"a": 1, "time": 1}),
    ],
)
def test_since_and_until_become_a_query_in_place(search, expected):
    utils.format_time(search, "UTC")

    assert search == expected


def test_a_name_and_its_older_name_exclude_each_other():
    with pytest.raises(TypeError, match=r"'since'.*'start_time'"):
        utils.format_time({"since": 1, "start_time": 2}, "UTC")


def test_all_is_one_object():
    assert repr(ALL) == "ALL"
    assert pickle.loads(pickle.dumps(ALL)) is ALL
    assert copy.deepcopy(ALL) is ALL


def test_a_lazy_map_calls_each_function_once():
    calls = []
    mapping = LazyMap({"a": lambda: calls.append("a") or 1}, b=lambda: 2)

    assert "a" in mapping
    assert list(mapping) == ["a", "b"]
    assert len(mapping) == 2
    assert calls == []
    assert mapping["a"] == mapping["a"] == 1
    assert calls == ["a"]
    assert dict(mapping) == {"a": 1, "b": 2}
    with pytest.raises(KeyError):
        mapping["c"]


def test_a_lazy_map_grows_but_does_not_change():
    mapping = LazyMap(a=lambda: 1)
    mapping.add({"b": lambda: 2}, c=lambda: 3)

    assert dict(mapping) == {"a": 1, "b": 2, "c": 3}
    with pytest.raises(TypeError, match=r"Cannot change the value of existing keys.*'a'"):
        mapping.add(a=lambda: 5, d=lambda: 4)
    assert "d" not in mapping
    with pytest.raises(TypeError):
        mapping["a"] = 5


def test_a_lazy_map_pickles_what_it_has_and_what_it_has_not_yet():
    mapping = LazyMap(a=dict, b=list)
    mapping["a"]["x"] = 1

    assert dict(pickle.loads(pickle.dumps(mapping))) == {"a": {"x": 1}, "b": []}


def test_a_lazy_map_serves_threads():
    started, calls = threading.Barrier(4), []
    mapping = LazyMap(a=lambda: calls.append(1) or len(calls))

    def look_up() -> None:
        started.wait()
        assert mapping["a"] == 1

    threads = [threading.Thread(target=look_up) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert calls == [1]


def test_directories_are_made_where_missing(tmp_path):
    utils.ensure_path_exists(tmp_path / "a" / "b")
    utils.ensure_path_exists(str(tmp_path / "a" / "b"))

    assert (tmp_path / "a" / "b").is_dir()
    with pytest.raises(FileExistsError):
        utils.ensure_path_exists(tmp_path / "a", exist_ok=False)


def test_numpy_values_become_plain_ones_in_place():
    document = {"a": numpy.int64(1), "b": {"c": numpy.arange(2)}, "d": "x"}
    utils.apply_to_dict_recursively(document, utils.sanitize_np)

    assert document == {"a": 1, "b": {"c": [0, 1]}, "d": "x"}
    assert type(document["a"]) is int


def test_the_data_keys_of_a_run_or_of_one_stream():
    header = {
        "descriptors": [
            {"name": "primary", "data_keys": {"x": {}, "y": {}}},
            {"name": "baseline", "data_keys": {"z": {}}},
            {"data_keys": {"old": {}}},
        ]
    }

    assert utils.get_fields(header) == utils.get_fields(header, ALL) == {"x", "y", "z", "old"}
    assert utils.get_fields(header, "baseline") == {"z"}
    assert utils.get_fields(header, "nope") == set()


def test_events_become_lists():
    events = [{"data": {"x": 1, "y": 2}}, {"data": {"x": 3, "y": 4}}]

    assert utils.transpose(events, ["x"], "data") == {"x": [1, 3]}
    assert utils.transpose([], {"x"}, "data") == {"x": []}
    with pytest.raises(KeyError):
        utils.transpose(events, ["z"], "data")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="paths of Linux")
def test_catalogs_are_searched_for_where_intake_does(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("VIRTUAL_ENV", str(tmp_path / "env"))

    user, shared = utils.catalog_search_path()

    assert user == str(tmp_path / "intake")
    assert shared == str(tmp_path / "env" / "share" / "intake")


def test_the_error_for_a_taken_spec_is_found_here():
    assert utils.DuplicateHandler is errors.DuplicateHandler


def test_the_helpers_import_nothing_heavy():
    program = (
        "import sys, databroker.queries, databroker.utils\n"
        "print(sorted({'pandas', 'xarray', 'dask', 'intake', 'numpy'} & set(sys.modules)))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert answer.stdout == "[]\n"
