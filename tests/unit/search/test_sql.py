import string
from collections.abc import Iterator
from itertools import chain

import pysqlite3.dbapi2
import pytest
import sqlalchemy as sa
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql, sqlite

from databroker.search.index import MAX_STRING, entries, run_time
from databroker.search.nodes import EVERYTHING, And, Eq, Exists, Not, UidPrefix
from databroker.search.parse import parse
from databroker.search.python import RunDocuments, matches
from databroker.search.sql import MAX_VALUES, SearchTables, condition

META = sa.MetaData()
TABLES = SearchTables(
    run=sa.Table(
        "run",
        META,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("uid", sa.Text),
        sa.Column("time", sa.REAL),
        sa.Column("indexed", sa.Integer),
    ),
    path=sa.Table(
        "path",
        META,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("path", sa.Text, unique=True),
    ),
    value=sa.Table(
        "value",
        META,
        sa.Column("path", sa.Integer, primary_key=True),
        sa.Column("value", sa.LargeBinary, primary_key=True),
        sa.Column("time", sa.REAL),
        sa.Column("run", sa.Integer, primary_key=True),
    ),
)


@pytest.fixture(scope="module")
def connection() -> Iterator[sa.Connection]:
    engine = sa.create_engine("sqlite://", module=pysqlite3.dbapi2)
    with engine.connect() as connection:
        META.create_all(connection)
        yield connection
    engine.dispose()


def fill(connection: sa.Connection, runs: list[RunDocuments]) -> list[bool]:
    """Put Runs into the tables, and say which of them have a complete index."""
    for table in (TABLES.value, TABLES.path, TABLES.run):
        connection.execute(sa.delete(table))
    found = [entries(run.start, run.stop) for run in runs]
    paths = {path: number for number, path in enumerate({p for f in found for p, _ in f.rows})}
    for path, number in paths.items():
        connection.execute(sa.insert(TABLES.path).values(id=number, path=path))
    for number, (run, index) in enumerate(zip(runs, found, strict=True)):
        connection.execute(
            sa.insert(TABLES.run).values(
                id=number,
                uid=run.start["uid"],
                time=run_time(run.start),
                indexed=int(index.complete),
            )
        )
        rows = [
            {"path": paths[path], "value": value, "time": run_time(run.start), "run": number}
            for path, value in index.rows
            if index.complete
        ]
        if rows:
            connection.execute(sa.insert(TABLES.value), rows)
    return [index.complete for index in found]


def check(connection: sa.Connection, node, runs: list[RunDocuments]) -> bool:
    """Compare the condition with the documents; return whether it says to be exact."""
    complete = fill(connection, runs)
    said = condition(node, TABLES)
    found = set(connection.scalars(sa.select(TABLES.run.c.id).where(said.clause)))
    wanted = {number for number, run in enumerate(runs) if matches(node, run)}

    assert wanted <= found
    if said.exact:
        assert {n for n in found if complete[n]} == {n for n in wanted if complete[n]}
    return said.exact


KEYS = st.sampled_from(["a", "b", "0", "1", "stop", "time", "uid", "é", "", "descriptors"])
ODD_KEYS = st.sampled_from(["a.b", "\ud800", "x\0", "00", "$c"])
NUMBERS = st.sampled_from(
    [0, 1, 2, -1, 0.5, -0.0, 1.0, 2**53, 2**53 + 1, float(2**53), 10**400, float("inf")]
)
STRINGS = st.sampled_from(
    [
        *("", "a", "ab", "abc", "é", "\ud800", "\0", "\U0010ffff"),
        *("x" * MAX_STRING, "x" * (MAX_STRING + 1), "x" * MAX_STRING + "y"),
    ]
)
SCALARS = (
    st.none()
    | st.booleans()
    | NUMBERS
    | STRINGS
    | st.just(float("nan"))
    | st.just(b"b")
    | st.just(1j)
)


def documents(values: st.SearchStrategy) -> st.SearchStrategy:
    return st.dictionaries(KEYS | ODD_KEYS, values, max_size=4)


VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.lists(inner, max_size=3).map(tuple) | documents(inner)
    ),
    max_leaves=8,
)
UIDS = st.sampled_from(["a", "ab", "abc", "b", "é", "x" * (MAX_STRING + 1)])


@st.composite
def run_documents(draw) -> RunDocuments:
    start = {**draw(documents(VALUES)), "uid": draw(UIDS)}
    if draw(st.booleans()):
        start["time"] = draw(NUMBERS)
    return RunDocuments(
        start,
        draw(st.none() | documents(VALUES)),
        draw(st.lists(documents(VALUES), max_size=2)),
    )


PATHS = st.lists(KEYS, min_size=1, max_size=3).map(".".join)
LITERALS = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["a", "b", "0"]), inner, max_size=2)
    ),
    max_leaves=3,
)


def operators(name: str, operands: st.SearchStrategy) -> st.SearchStrategy:
    return operands.map(lambda operand: {name: operand})


SIMPLE = st.one_of(
    *(operators(name, LITERALS) for name in ("$eq", "$ne", "$gt", "$gte", "$lt", "$lte")),
    *(operators(name, st.lists(LITERALS, max_size=3)) for name in ("$in", "$nin", "$all")),
    operators("$exists", st.booleans()),
    operators("$size", st.integers(0, 3)),
    operators("$type", st.sampled_from(["string", "number", "array", "object", "null", "bool"])),
    operators("$mod", st.sampled_from([[2, 0], [2, 1], [-3, 1]])),
    operators("$regex", st.sampled_from(["", "^a", "b$", "x"])),
)
CONDITIONS = st.recursive(
    SIMPLE,
    lambda inner: (
        operators("$not", inner)
        | operators("$elemMatch", inner)
        | st.builds(lambda path, one: {"$elemMatch": {path: one}}, PATHS, inner)
    ),
    max_leaves=3,
)
QUERIES = st.recursive(
    st.dictionaries(PATHS, CONDITIONS | LITERALS, max_size=2),
    lambda inner: (
        st.builds(
            lambda logic, queries: {logic: queries},
            st.sampled_from(["$and", "$or", "$nor"]),
            st.lists(inner, min_size=1, max_size=3),
        )
        | st.just({"$text": {"$search": "a"}})
    ),
    max_leaves=4,
)


@settings(max_examples=400)
@given(query=QUERIES, runs=st.lists(run_documents(), min_size=1, max_size=4))
@example(query={"a": {"$ne": 1}}, runs=[RunDocuments({"uid": "a"})])
@example(query={"time": {"$not": {"$gt": 1}}}, runs=[RunDocuments({"uid": "a"})])
@example(query={"time": {"$gt": 1}}, runs=[RunDocuments({"uid": "a", "time": [2]})])
@example(query={"a": {"$gt": "b"}}, runs=[RunDocuments({"uid": "a", "a": 1})])
@example(query={"a.b": None}, runs=[RunDocuments({"uid": "a", "a": [{"b": 1}, {}]})])
@example(
    query={"a": {"$gt": "x" * (MAX_STRING + 1)}},
    runs=[RunDocuments({"uid": "a", "a": "x" * MAX_STRING + "y"})],
)
@example(query={"a.0.b": 1}, runs=[RunDocuments({"uid": "a", "a": [[{"b": 1}]]})])
@example(query={"stop.0": 1}, runs=[RunDocuments({"uid": "a"}, {"0": 1})])
def test_the_condition_never_misses_and_is_exact_where_it_says_so(connection, query, runs):
    check(connection, parse(query), runs)


@given(prefix=st.text("abcé\ud800", max_size=3), runs=st.lists(run_documents(), max_size=4))
def test_a_uid_prefix_never_misses(connection, prefix, runs):
    check(connection, UidPrefix(prefix), runs)


RUNS = [
    RunDocuments(
        {
            "uid": letter,
            "time": number,
            "plan_name": ["scan", "count"][number % 2],
            "scan_id": number,
            "motors": (letter, "z"),
        },
        {"exit_status": "success"} if number % 3 else None,
    )
    for number, letter in enumerate(string.ascii_lowercase)
]


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"uid": "c"},
        {"uid": {"$in": ["c", "d"]}},
        {"uid": {"$ne": "c"}},
        {"uid": {"$in": []}},
        {"plan_name": "scan"},
        {"plan_name": {"$ne": "scan"}},
        {"plan_name": {"$in": ["scan", "rel_scan", None]}},
        {"missing": None},
        {"missing": {"$exists": False}},
        {"scan_id": {"$gt": 3, "$lte": 9.5}},
        {"scan_id": {"$not": {"$gt": 3}}},
        {"time": {"$gte": 5, "$lt": 8}},
        {"time": 5.0},
        {"$or": [{"time": {"$lt": 2}}, {"scan_id": 20, "plan_name": "scan"}]},
        {"motors": {"$all": ["b", "z"]}},
        {"motors": {"$size": 2}},
        {"motors": {"$size": 1}},
        {"stop.exit_status": "success"},
        {"stop.exit_status": {"$ne": "success"}},
        {"scan_id": {"$gt": float("nan")}},
        {"scan_id": {"$lt": 10**400}},
    ],
)
def test_what_people_ask_most_is_answered_exactly(connection, query):
    node = parse(query)

    if query == {"scan_id": {"$lt": 10**400}}:
        assert not check(connection, node, RUNS)
    else:
        assert check(connection, node, RUNS)


@pytest.mark.parametrize(
    "query",
    [{"plan_name": {"$regex": "^sc"}}, {"motors": ["a", "z"]}, {"descriptors.name": "primary"}],
)
def test_what_sql_cannot_decide_is_left_to_the_documents(connection, query):
    assert not check(connection, parse(query), RUNS)


def test_the_negation_of_something_inexact_leaves_out_nothing(connection):
    node = Not(And((Exists("scan_id"), parse({"plan_name": {"$regex": "x"}}))))

    assert not check(connection, node, RUNS)
    assert (
        len(
            connection.scalars(
                sa.select(TABLES.run.c.id).where(condition(node, TABLES).clause)
            ).all()
        )
        == 26
    )


def test_a_uid_prefix_finds_the_runs_with_it(connection):
    runs = [RunDocuments({"uid": uid}) for uid in ("ab", "abc", "b", "a")]

    assert check(connection, UidPrefix("ab"), runs)
    assert check(connection, Not(UidPrefix("ab")), runs)


def test_many_values_are_narrowed_to_their_range(connection):
    some, many = list(range(MAX_VALUES)), list(range(MAX_VALUES + 1))

    assert check(connection, parse({"scan_id": {"$in": some}}), RUNS)
    assert not check(connection, parse({"scan_id": {"$in": many}}), RUNS)
    assert not check(connection, parse({"uid": {"$in": [str(n) for n in range(40_000)]}}), RUNS)


def test_a_run_with_an_incomplete_index_is_never_left_out(connection):
    runs = [
        RunDocuments({"uid": "a", "big": list(range(5000)), "x": 1}),
        RunDocuments({"uid": "b"}),
    ]

    for node in (Eq("x", 1), Eq("x", 2), Not(Eq("x", 1)), Exists("big"), Not(Exists("x"))):
        check(connection, node, runs)
        clause = condition(node, TABLES).clause
        assert 0 in connection.scalars(sa.select(TABLES.run.c.id).where(clause)).all()


def test_everything_is_no_condition():
    said = condition(EVERYTHING, TABLES)

    assert said.exact
    assert "value" not in str(said.clause)


@pytest.mark.parametrize("dialect", [sqlite.dialect(), postgresql.dialect()])
def test_the_condition_compiles_for_each_database(dialect):
    node = parse({"a": {"$in": [1, "x", None]}, "time": {"$gt": 5}, "b.0": 1, "uid": "x"})
    statement = sa.select(TABLES.run.c.id).where(condition(node, TABLES).clause)
    compiled = statement.compile(dialect=dialect)

    assert "= 0" in str(compiled)
    assert all(isinstance(value, bytes | str | int | float) for value in flat(compiled.params))


def flat(parameters: dict) -> list:
    return list(chain.from_iterable(v if isinstance(v, list) else [v] for v in parameters.values()))
