import re
from types import MappingProxyType

import numpy
import pytest

from databroker.errors import InvalidQueryError, UnsupportedQueryError
from databroker.queries import TextQuery, TimeRange
from databroker.search.nodes import (
    EVERYTHING,
    And,
    Compare,
    Comparison,
    ElemMatch,
    ElemTest,
    Eq,
    Exists,
    In,
    Mod,
    Not,
    Or,
    Phrase,
    Regex,
    Size,
    Text,
    Type,
    UidPrefix,
    scopes,
)
from databroker.search.parse import OPERATORS, parse


@pytest.mark.parametrize("query", [None, {}, MappingProxyType({}), TimeRange(), {"$comment": "x"}])
def test_a_query_of_nothing_matches_everything(query):
    assert parse(query) == EVERYTHING


@pytest.mark.parametrize(
    ("query", "node"),
    [
        ({"a": 1}, Eq("a", 1)),
        ({"a": None}, Eq("a", None)),
        ({"a": {}}, Eq("a", {})),
        ({"a": {"b": (1, 2)}}, Eq("a", {"b": [1, 2]})),
        ({"a": numpy.float64(2)}, Eq("a", 2.0)),
        ({"a": numpy.arange(2)}, Eq("a", [0, 1])),
        ({"a": 1, "b": 2}, And((Eq("a", 1), Eq("b", 2)))),
        ({"a": {"$eq": 1}}, Eq("a", 1)),
        ({"a": {"$ne": 1}}, Not(Eq("a", 1))),
        ({"a": {"$gt": 1}}, Compare("a", Comparison.GT, 1)),
        ({"a": {"$gte": 1}}, Compare("a", Comparison.GTE, 1)),
        ({"a": {"$lt": 1}}, Compare("a", Comparison.LT, 1)),
        ({"a": {"$lte": 1}}, Compare("a", Comparison.LTE, 1)),
        (
            {"a": {"$gt": 1, "$lt": 3}},
            And((Compare("a", Comparison.GT, 1), Compare("a", Comparison.LT, 3))),
        ),
        ({"a": {"$in": [1, 2]}}, In("a", (1, 2))),
        ({"a": {"$in": {1}}}, In("a", (1,))),
        ({"a": {"$in": numpy.arange(2)}}, In("a", (0, 1))),
        ({"a": {"$in": [1, re.compile("x")]}}, Or((In("a", (1,)), Regex("a", "x")))),
        ({"a": {"$nin": [1]}}, Not(In("a", (1,)))),
        ({"a": {"$exists": True}}, Exists("a")),
        ({"a": {"$exists": 0}}, Not(Exists("a"))),
        ({"a": {"$regex": "x"}}, Regex("a", "x")),
        ({"a": {"$regex": "x", "$options": "im"}}, Regex("a", "x", re.IGNORECASE | re.MULTILINE)),
        ({"a": {"$options": "s", "$regex": "x"}}, Regex("a", "x", re.DOTALL)),
        ({"a": re.compile("x", re.IGNORECASE)}, Regex("a", "x", re.IGNORECASE)),
        ({"a": {"$not": re.compile("x")}}, Not(Regex("a", "x"))),
        ({"a": {"$not": {"$gt": 1}}}, Not(Compare("a", Comparison.GT, 1))),
        ({"a": {"$all": [1, 2]}}, And((Eq("a", 1), Eq("a", 2)))),
        ({"a": {"$all": []}}, Or(())),
        (
            {"a": {"$all": [{"$elemMatch": {"b": 1}}, re.compile("x")]}},
            And((ElemMatch("a", Eq("b", 1)), Regex("a", "x"))),
        ),
        ({"a": {"$elemMatch": {"b": 1}}}, ElemMatch("a", Eq("b", 1))),
        ({"a": {"$elemMatch": {"$gt": 1}}}, ElemTest("a", Compare("", Comparison.GT, 1))),
        (
            {"a": {"$elemMatch": {"$or": [{"b": 1}, {"c": 2}]}}},
            ElemMatch("a", Or((Eq("b", 1), Eq("c", 2)))),
        ),
        ({"a": {"$size": 2.0}}, Size("a", 2)),
        ({"a": {"$type": "string"}}, Type("a", ("string",))),
        ({"a": {"$type": 2}}, Type("a", ("string",))),
        (
            {"a": {"$type": ["bool", "number"]}},
            Type("a", ("bool", "double", "int", "long", "decimal")),
        ),
        ({"a": {"$mod": [4, 1.9]}}, Mod("a", 4, 1)),
        ({"$and": [{"a": 1}, {"b": 2}]}, And((Eq("a", 1), Eq("b", 2)))),
        ({"$or": [{"a": 1}]}, Or((Eq("a", 1),))),
        ({"$nor": [{"a": 1}]}, Not(Or((Eq("a", 1),)))),
        ({"$not": {"a": 1}}, Not(Eq("a", 1))),
        ({"a": 1, "$comment": "why"}, Eq("a", 1)),
        (TextQuery("Fe"), Text(some=(Phrase(("fe",)),))),
        (TimeRange(since=5), Compare("time", Comparison.GTE, 5.0)),
    ],
)
def test_each_operator_becomes_its_node(query, node):
    assert parse(query) == node


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ([("a", 1)], "Mapping"),
        ("a", "Mapping"),
        ({1: 2}, "strings"),
        ({"a": {"$in": 5}}, r"\$in for 'a' takes a list"),
        ({"a": {"$in": "abc"}}, r"\$in for 'a' takes a list"),
        ({"a": {"$nin": {"b": 1}}}, r"\$nin for 'a'"),
        ({"a": {"$in": [{"$gt": 1}]}}, r"\$in for 'a'"),
        ({"a": {"$all": 5}}, r"\$all for 'a'"),
        ({"a": {"$mod": [0, 1]}}, r"\$mod for 'a'"),
        ({"a": {"$mod": [4]}}, r"\$mod for 'a'"),
        ({"a": {"$mod": "ab"}}, r"\$mod for 'a'"),
        ({"a": {"$mod": [float("nan"), 1]}}, r"\$mod for 'a'"),
        ({"a": {"$regex": "["}}, r"\$regex for 'a'"),
        ({"a": {"$regex": 5}}, r"\$regex for 'a'"),
        ({"a": re.compile(b"x")}, r"\$regex for 'a'"),
        ({"a": {"$regex": "x", "$options": "z"}}, r"\$options for 'a'"),
        ({"a": {"$options": "i"}}, r"\$options for 'a'"),
        ({"a": {"$not": 5}}, r"\$not for 'a'"),
        ({"a": {"$not": {}}}, r"\$not for 'a'"),
        ({"a": {"$not": {"b": 1}}}, r"\$not for 'a'"),
        ({"a": {"$ne": re.compile("x")}}, r"\$ne for 'a'"),
        ({"a": {"$gt": re.compile("x")}}, r"\$gt for 'a'"),
        ({"a": {"$size": -1}}, r"\$size for 'a'"),
        ({"a": {"$size": 1.5}}, r"\$size for 'a'"),
        ({"a": {"$size": True}}, r"\$size for 'a'"),
        ({"a": {"$type": "number?"}}, r"\$type for 'a'"),
        ({"a": {"$type": []}}, r"\$type for 'a'"),
        ({"a": {"$type": 99}}, r"\$type for 'a'"),
        ({"a": {"$elemMatch": 5}}, r"\$elemMatch for 'a'"),
        ({"a": {"$gt": 1, "b": 2}}, "mixes"),
        ({"a": {"b": {"$gt": 1}}}, "dotted path"),
        ({"$and": []}, r"\$and takes a list"),
        ({"$or": {"a": 1}}, r"\$or takes a list"),
        ({"$nor": "a"}, r"\$nor takes a list"),
        ({"$and": [5]}, "Mapping"),
        ({"$gt": 1}, r"\$gt goes behind a dotted path"),
        ({"$regex": "x"}, r"\$regex goes behind a dotted path"),
        ({"a": {"$and": []}}, r"\$and goes in front of queries"),
        ({"$text": "Fe"}, r"\$text takes"),
        ({"$text": {"$search": 5}}, r"\$text takes"),
    ],
)
def test_a_malformed_query_names_the_operator_and_the_path(query, says):
    with pytest.raises(InvalidQueryError, match=says):
        parse(query)


@pytest.mark.parametrize(
    ("query", "operator"),
    [
        ({"$where": "x"}, "$where"),
        ({"a": {"$near": 1}}, "$near"),
        ({"a": {"$not": {"$near": 1}}}, "$near"),
        ({"$text": {"$search": "x", "$language": "de"}}, "$language"),
    ],
)
def test_an_unknown_operator_lists_those_that_are_supported(query, operator):
    with pytest.raises(UnsupportedQueryError) as error:
        parse(query)

    assert repr(operator) in str(error.value)
    assert ", ".join(OPERATORS) in str(error.value)


def test_scopes_are_the_documents_that_decide():
    node = parse(
        {"$or": [{"a": 1}, {"stop.exit_status": {"$ne": "fail"}}], "descriptors.name": "x"}
    )

    assert scopes(node) == {"start", "stop", "descriptors"}
    assert scopes(parse({"stop": 1, "descriptors": 2})) == {"start"}
    assert scopes(parse({"descriptors.x": {"$elemMatch": {"stop.y": 1}}})) == {"descriptors"}
    assert scopes(UidPrefix("a")) == {"start"}
    assert scopes(EVERYTHING) == frozenset()
