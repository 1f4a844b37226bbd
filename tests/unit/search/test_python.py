import re
from datetime import UTC, datetime
from decimal import Decimal

import numpy
import pytest

from databroker.search.nodes import UidPrefix
from databroker.search.parse import parse
from databroker.search.python import RunDocuments, matches

NAN = float("nan")
SURVEY = [{"product": "abc", "score": 10}, {"product": "xyz", "score": 5}]
SIZES = [{"size": "S", "num": 10}, {"size": "M", "num": 45}]
INVENTORY = [{"warehouse": "A", "qty": 5}, {"warehouse": "C", "qty": 15}]


def holds(query, start, stop=None, descriptors=()):
    return matches(parse(query), RunDocuments(start, stop, descriptors))


@pytest.mark.parametrize(
    ("query", "start", "expected"),
    [
        # equality
        ({"a": 1}, {"a": 1}, True),
        ({"a": 1}, {"a": 1.0}, True),
        ({"a": 1}, {"a": True}, False),
        ({"a": True}, {"a": 1}, False),
        ({"a": "1"}, {"a": 1}, False),
        ({"a": 0.0}, {"a": -0.0}, True),
        ({"a": 2**53}, {"a": 2**53 + 1}, False),
        ({"a": Decimal("0.5")}, {"a": 0.5}, True),
        ({"a": b"x"}, {"a": b"x"}, True),
        ({"a": b"x"}, {"a": "x"}, False),
        ({"a": 1j}, {"a": 1j}, True),
        ({"a": NAN}, {"a": NAN}, True),
        ({"a": NAN}, {"a": 1.0}, False),
        ({"a": 1}, {"b": 1}, False),
        # null and missing
        ({"a": None}, {"a": None}, True),
        ({"a": None}, {}, True),
        ({"a": None}, {"a": 0}, False),
        ({"a": None}, {"a": []}, False),
        ({"a": None}, {"a": [1, None]}, True),
        ({"a.b": None}, {"a": 5}, True),
        ({"a.b": None}, {"a": [1, 2]}, False),
        ({"a.b": None}, {"a": [{"b": 1}, {}]}, True),
        ({"a": {"$in": [None]}}, {}, True),
        ({"a": {"$gte": None}}, {}, True),
        ({"a": {"$lte": None}}, {"a": None}, True),
        ({"a": {"$gt": None}}, {"a": None}, False),
        # negations match what is missing
        ({"a": {"$ne": 1}}, {}, True),
        ({"a": {"$ne": 1}}, {"a": [2, 1]}, False),
        ({"a": {"$ne": None}}, {}, False),
        ({"a": {"$nin": [1, 2]}}, {}, True),
        ({"a": {"$nin": [1, 2]}}, {"a": [3, 2]}, False),
        ({"a": {"$not": {"$gt": 5}}}, {}, True),
        ({"a": {"$not": {"$gt": 5}}}, {"a": "x"}, True),
        ({"a": {"$not": {"$gt": 5}}}, {"a": [1, 9]}, False),
        ({"$nor": [{"a": 1}, {"b": 2}]}, {"a": 3}, True),
        ({"$nor": [{"a": 1}, {"b": 2}]}, {"a": 3, "b": 2}, False),
        # types first
        ({"a": {"$gt": 1}}, {"a": "x"}, False),
        ({"a": {"$lt": "x"}}, {"a": 1}, False),
        ({"a": {"$gte": 0}}, {"a": True}, False),
        ({"a": {"$gt": False}}, {"a": True}, True),
        ({"a": {"$gt": 2**53}}, {"a": 2**53 + 1}, True),
        ({"a": {"$gt": 10**400}}, {"a": float("inf")}, True),
        ({"a": {"$lt": 1}}, {"a": Decimal("0.9")}, True),
        ({"a": {"$lt": "é"}}, {"a": "z"}, True),
        ({"a": {"$gt": b"a"}}, {"a": b"b"}, True),
        ({"a": {"$gt": {"x": 1}}}, {"a": {"x": 2}}, True),
        ({"a": {"$gt": [1, 2]}}, {"a": [1, 3]}, True),
        ({"a": {"$gt": datetime(2026, 1, 1, tzinfo=UTC)}}, {"a": datetime(2026, 2, 1)}, True),  # noqa: DTZ001
        # NaN is neither above nor below a number, and only equals itself
        ({"a": {"$lt": 5}}, {"a": NAN}, False),
        ({"a": {"$gt": NAN}}, {"a": 5}, False),
        ({"a": {"$lt": NAN}}, {"a": NAN}, False),
        ({"a": {"$lte": NAN}}, {"a": NAN}, True),
        ({"a": {"$gte": NAN}}, {"a": NAN}, True),
        ({"a": {"$gte": NAN}}, {"a": 5}, False),
        ({"a": {"$gt": NAN}}, {"a": [NAN]}, False),
        # arrays match by element, and as a whole
        ({"tags": "red"}, {"tags": ["red", "blank"]}, True),
        ({"tags": "red"}, {"tags": ("red", "blank")}, True),
        ({"tags": ["red", "blank"]}, {"tags": ["red", "blank"]}, True),
        ({"tags": ["red", "blank"]}, {"tags": ("red", "blank")}, True),
        ({"tags": ["red", "blank"]}, {"tags": ["blank", "red"]}, False),
        ({"tags": ["red"]}, {"tags": [["red"], "blue"]}, True),
        ({"tags": "red"}, {"tags": [["red"]]}, False),
        ({"dim": {"$gt": 15, "$lt": 20}}, {"dim": [14, 21]}, True),
        ({"dim": {"$elemMatch": {"$gt": 15, "$lt": 20}}}, {"dim": [14, 21]}, False),
        ({"dim": {"$elemMatch": {"$gt": 15, "$lt": 20}}}, {"dim": [14, 16]}, True),
        ({"dim": {"$elemMatch": {"$gt": 1}}}, {"dim": 5}, False),
        ({"dim": {"$elemMatch": {"$not": {"$gt": 1}}}}, {"dim": [5, 0]}, True),
        ({"dim": {"$elemMatch": {"$elemMatch": {"$gt": 1}}}}, {"dim": [[0], [2]]}, True),
        ({"dim": {"$elemMatch": {"$ne": 1}}}, {"dim": [1, 1]}, False),
        ({"dim": {"$elemMatch": {"$in": [1, 2]}}}, {"dim": [3, 2]}, True),
        ({"dim": {"$elemMatch": {"$size": 1}}}, {"dim": [[1]]}, True),
        # indices
        ({"dim.1": {"$gt": 25}}, {"dim": [1, 30]}, True),
        ({"dim.1": {"$gt": 25}}, {"dim": [30, 1]}, False),
        ({"dim.01": 1}, {"dim": [0, 1]}, False),
        ({"dim.1": 2}, {"dim": [5, [2, 4]]}, False),
        ({"dim.1": [2, 4]}, {"dim": [5, [2, 4]]}, True),
        ({"dim.1.0": 2}, {"dim": [5, [2, 4]]}, True),
        ({"dim.1.b": 4}, {"dim": [5, [{"b": 4}]]}, True),
        ({"dim.1": 4}, {"dim": [5, {"1": 4}]}, True),
        ({"dim.1": 4}, {"dim": {"1": 4}}, True),
        ({"dim.5": {"$exists": True}}, {"dim": [1]}, False),
        # documents within documents
        ({"size.uom": "in"}, {"size": {"h": 14, "uom": "in"}}, True),
        ({"size": {"uom": "in", "h": 14}}, {"size": {"h": 14, "uom": "in"}}, True),
        ({"size": {"h": 14}}, {"size": {"h": 14, "uom": "in"}}, False),
        ({"size": {"h": (1, 2)}}, {"size": {"h": [1.0, 2]}}, True),
        ({"a.b": 1}, {"a.b": 1}, False),
        # documents within arrays
        ({"instock": {"qty": 5, "warehouse": "A"}}, {"instock": INVENTORY}, True),
        ({"instock.qty": {"$lte": 5}}, {"instock": INVENTORY}, True),
        ({"instock.0.qty": {"$lte": 4}}, {"instock": INVENTORY}, False),
        ({"instock.qty": 5, "instock.warehouse": "C"}, {"instock": INVENTORY}, True),
        ({"instock": {"$elemMatch": {"qty": 5, "warehouse": "C"}}}, {"instock": INVENTORY}, False),
        ({"instock": {"$elemMatch": {"qty": 5, "warehouse": "A"}}}, {"instock": INVENTORY}, True),
        ({"instock.qty": 5}, {"instock": [INVENTORY]}, False),
        ({"instock.0.qty": 5}, {"instock": [INVENTORY]}, True),
        ({"a": {"$elemMatch": {"0": 5}}}, {"a": [[5]]}, True),
        ({"a": {"$elemMatch": {"stop.x": 5}}}, {"a": [{"stop": {"x": 5}}]}, True),
        (
            {"results": {"$elemMatch": {"product": "xyz", "score": {"$gte": 8}}}},
            {"results": SURVEY},
            False,
        ),
        ({"results": {"$elemMatch": {"product": {"$ne": "xyz"}}}}, {"results": SURVEY}, True),
        # $all
        ({"tags": {"$all": ["ssl", "security"]}}, {"tags": ["security", "x", "ssl"]}, True),
        ({"tags": {"$all": ["ssl", "security"]}}, {"tags": ["ssl"]}, False),
        ({"tags": {"$all": ["ssl"]}}, {"tags": "ssl"}, True),
        ({"tags": {"$all": [["ssl", "x"]]}}, {"tags": ["ssl", "x"]}, True),
        ({"tags": {"$all": []}}, {"tags": []}, False),
        (
            {"q": {"$all": [{"$elemMatch": {"size": "M", "num": {"$gt": 50}}}]}},
            {"q": SIZES},
            False,
        ),
        (
            {"q": {"$all": [{"$elemMatch": {"size": "M"}}, {"$elemMatch": {"num": 10}}]}},
            {"q": SIZES},
            True,
        ),
        # $exists, $size, $type, $mod
        ({"a": {"$exists": True}}, {"a": None}, True),
        ({"a": {"$exists": True}}, {"a": []}, True),
        ({"a": {"$exists": False}}, {}, True),
        ({"a.b": {"$exists": True}}, {"a": [{"c": 1}, {"b": None}]}, True),
        ({"a": {"$exists": True, "$nin": [5, 15]}}, {}, False),
        ({"a": {"$size": 2}}, {"a": [[1, 2], 3]}, True),
        ({"a": {"$size": 2}}, {"a": [[1, 2]]}, False),
        ({"a": {"$size": 0}}, {"a": {}}, False),
        ({"a": {"$size": 0}}, {}, False),
        ({"a.b": {"$size": 1}}, {"a": [{"b": []}, {"b": [7]}]}, True),
        ({"a": {"$type": "array"}}, {"a": []}, True),
        ({"a": {"$type": "string"}}, {"a": [1, "x"]}, True),
        ({"a": {"$type": "number"}}, {"a": True}, False),
        ({"a": {"$type": "number"}}, {"a": NAN}, True),
        ({"a": {"$type": "long"}}, {"a": 2**31}, True),
        ({"a": {"$type": 16}}, {"a": -(2**31)}, True),
        ({"a": {"$type": "null"}}, {}, False),
        ({"a": {"$type": ["object", "binData"]}}, {"a": b""}, True),
        ({"a": {"$mod": [4, 0]}}, {"a": 12}, True),
        ({"a": {"$mod": [4, 2]}}, {"a": 6.9}, True),
        ({"a": {"$mod": [4, -2]}}, {"a": -6}, True),
        ({"a": {"$mod": [-4, 2]}}, {"a": 6}, True),
        ({"a": {"$mod": [4, 0]}}, {"a": NAN}, False),
        ({"a": {"$mod": [4, 0]}}, {"a": float("inf")}, False),
        ({"a": {"$mod": [4, 0]}}, {"a": False}, False),
        # regular expressions
        ({"a": {"$regex": "bc"}}, {"a": "abcd"}, True),
        ({"a": {"$regex": "^BC", "$options": "im"}}, {"a": "a\nbcd"}, True),
        ({"a": re.compile("x")}, {"a": ["y", "x"]}, True),
        ({"a": {"$regex": "5"}}, {"a": 5}, False),
        ({"a": {"$in": ["q", re.compile("^x")]}}, {"a": "xy"}, True),
        ({"a": {"$nin": [re.compile("^x")]}}, {"a": "xy"}, False),
        # numpy
        ({"a": 5}, {"a": numpy.int64(5)}, True),
        ({"a": True}, {"a": numpy.bool_(True)}, True),
        ({"a": "x"}, {"a": numpy.str_("x")}, True),
        ({"a": {"$gt": 1}}, {"a": numpy.float32(1.5)}, True),
        ({"a": 0.5}, {"a": numpy.longdouble(0.5)}, True),
        ({"a": 2}, {"a": numpy.arange(3)}, True),
        ({"a": [[0, 1], [2, 3]]}, {"a": numpy.arange(4).reshape(2, 2)}, True),
        ({"a": {"$size": 3}}, {"a": numpy.arange(3)}, True),
        ({"a": {"$regex": "^x"}}, {"a": numpy.array(["y", "xz"])}, True),
        ({"a.1": 1}, {"a": numpy.arange(3)}, True),
        # logic
        ({}, {}, True),
        ({"$and": [{"a": 1}, {"b": 2}]}, {"a": 1, "b": 2}, True),
        ({"$or": [{"a": 1}, {"b": 2}]}, {"b": 2}, True),
        ({"$not": {"a": 1, "b": 2}}, {"a": 1}, True),
    ],
)
def test_a_query_means_what_the_manual_of_mongodb_says(query, start, expected):
    assert holds(query, start) is expected


def test_a_path_that_begins_with_stop_reaches_the_run_stop_alone():
    start = {"stop": {"exit_status": "success"}, "exit_status": "success"}

    assert not holds({"stop.exit_status": "success"}, start)
    assert holds({"stop.exit_status": "success"}, {}, {"exit_status": "success"})
    assert holds({"stop": {"exit_status": "success"}}, start)
    assert holds({"stop.exit_status": {"$ne": "success"}}, start)


def test_a_path_that_begins_with_descriptors_reaches_them_as_a_list():
    descriptors = [{"name": "primary", "data_keys": {"x": {}}}, {"name": "baseline"}]

    assert holds({"descriptors.name": "baseline"}, {}, None, descriptors)
    assert holds({"descriptors.data_keys.x": {"$exists": True}}, {}, None, descriptors)
    assert holds({"descriptors.0.name": "primary"}, {}, None, descriptors)
    assert not holds({"descriptors.1.name": "primary"}, {}, None, descriptors)
    assert not holds({"descriptors.name": "x"}, {"descriptors": {"name": "x"}}, None, descriptors)
    assert holds({"descriptors.name": {"$ne": "x"}}, {}, None, ())


def test_a_uid_prefix_is_compared_with_the_run_start():
    assert matches(UidPrefix("ab"), RunDocuments({"uid": "abc"}))
    assert not matches(UidPrefix("bc"), RunDocuments({"uid": "abc"}))


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        ("iron", True),
        ("IRON", True),
        ("iro", False),
        ("iro*", True),
        ("straße", True),
        ("STRASSE", True),
        ("nothing iron", True),
        ("nothing", False),
        ('"iron oxide"', True),
        ('"oxide iron"', False),
        ("iron-oxide", True),
        ("oxide-iron", False),
        ('"iron oxide" nothing', True),
        ('"iron oxide" "powder"', True),
        ('"iron oxide" "missing"', False),
        ('"iron', True),
        ("iron -powder", False),
        ("iron -rust", True),
        ('iron -"oxide powder"', True),
        ('iron -"powder 5"', False),
        ("-rust", False),
        ("", False),
        ("- * !", False),
        ("5", True),
        ("7", False),
        ("sample", False),
    ],
)
def test_text_is_words_and_phrases_in_the_strings_of_the_run_start(search, expected):
    start = {"sample": {"name": "Iron-Oxide", "form": ["Powder_5", "Straße"]}, "points": 7}

    assert holds({"$text": {"$search": search}}, start) is expected
