import datetime
import pickle
from collections.abc import Mapping

import pytest

import databroker.queries
from databroker.errors import InvalidQueryError, UnknownTimeZoneError
from databroker.queries import Query, TextQuery, TimeRange

NEW_YEAR_UTC = 1767225600.0
NEW_YEAR_NEW_YORK = 1767243600.0


def test_a_time_range_is_a_mapping_that_holds_a_query():
    november = TimeRange(since="2026-11", until="2026-12", timezone="UTC")

    assert isinstance(november, Mapping)
    assert dict(november) == {"time": {"$gte": 1793491200.0, "$lt": 1796083200.0}}
    assert november == november.query

    query = {"plan_name": "scan"}
    query.update(november)

    assert query == {"plan_name": "scan", **november.query}


def test_a_time_range_may_be_open():
    assert dict(TimeRange("2026", timezone="UTC")) == {"time": {"$gte": NEW_YEAR_UTC}}
    assert dict(TimeRange(until="2026", timezone="UTC")) == {"time": {"$lt": NEW_YEAR_UTC}}
    assert dict(TimeRange()) == {}
    assert len(TimeRange()) == 0


def test_seconds_zero_are_a_bound():
    assert dict(TimeRange(since=0)) == {"time": {"$gte": 0.0}}


def test_the_time_zone_of_this_computer_is_the_default(monkeypatch):
    monkeypatch.setenv("TZ", "America/New_York")

    assert TimeRange("2026").timezone == "America/New_York"
    assert dict(TimeRange("2026")) == {"time": {"$gte": NEW_YEAR_NEW_YORK}}


def test_a_query_remembers_its_arguments():
    query = TimeRange("2026", timezone="UTC")

    assert query.kwargs == {"since": "2026", "until": None, "timezone": "UTC"}
    assert query.replace(timezone="US/Eastern").query == {"time": {"$gte": NEW_YEAR_NEW_YORK}}
    assert query.replace(since=None).query == {}
    with pytest.raises(TypeError):
        query.replace(before="2026")


@pytest.mark.parametrize(
    "query",
    [
        TimeRange(),
        TimeRange("2026", "2027-01-02 10:30", "US/Eastern"),
        TimeRange(datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC), 2e9),
        TimeRange(datetime.date(2026, 1, 1), timezone=datetime.UTC),
        TextQuery('"it\'s" -rust'),
    ],
)
def test_a_query_survives_its_repr_and_a_pickle(query):
    evaluated = eval(repr(query), vars(databroker.queries))
    unpickled = pickle.loads(pickle.dumps(query))

    assert type(evaluated) is type(unpickled) is type(query)
    assert evaluated.kwargs == unpickled.kwargs == query.kwargs
    assert evaluated.query == unpickled.query == query.query


@pytest.mark.parametrize("time", ["junk", "", "2026-02-30", True, [1], float("nan"), {}])
def test_what_is_no_time_is_refused(time):
    with pytest.raises(InvalidQueryError, match="time"):
        TimeRange(since=time)


def test_a_range_that_ends_before_it_begins_is_refused():
    with pytest.raises(ValueError, match="since must not be greater than until"):
        TimeRange(since="2026", until="2025")


def test_an_unknown_time_zone_is_refused():
    with pytest.raises(UnknownTimeZoneError, match="'Nowhere'"):
        TimeRange(since="2026", timezone="Nowhere")


def test_a_text_query_searches_for_words():
    assert dict(TextQuery("iron")) == {"$text": {"$search": "iron"}}
    assert TextQuery(text_search="iron").replace(text_search="x").text == "x"


def test_users_write_queries_of_their_own():
    class ScanId(Query):
        def __init__(self, scan_id):
            self.scan_id = scan_id

        @property
        def query(self):
            return {"scan_id": self.scan_id}

        @property
        def kwargs(self):
            return {"scan_id": self.scan_id}

    assert dict(ScanId(5).replace(scan_id=6)) == {"scan_id": 6}
    assert repr(ScanId(5)) == "ScanId(scan_id=5)"
    with pytest.raises(TypeError, match="abstract"):
        Query()
