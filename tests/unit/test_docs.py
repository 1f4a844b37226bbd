"""The documentation names everything that it must, and the storage format is what it says."""

import importlib
import inspect
import re
from pathlib import Path

import pytest

import databroker
from databroker import errors
from databroker.documents.encodings import _ENCODINGS
from databroker.documents.packing import _DECODERS
from databroker.documents.pages import EVENT, STREAM_DATUM
from databroker.search.index import Tag
from databroker.search.parse import OPERATORS
from databroker.stores.schema import FORMAT, metadata
from databroker.stores.sqlite import APPLICATION_ID
from databroker.stores.statements import create_statements, statements_for
from databroker.testing.comparison import assert_identical
from databroker.testing.documents import (
    RunBuilder,
    rewound_run,
    several_descriptors_run,
    simple_run,
    stream_datum_run,
)

DOCS = Path(__file__).parents[2] / "docs"
REFERENCE = DOCS / "reference"
DECISIONS = sorted((DOCS / "explanations" / "decisions").glob("0*.md"))

FACES = ("core", "errors", "queries", "utils", "v1", "v2")

ERRORS = [name for name, item in vars(errors).items() if inspect.isclass(item)]


def page(*parts: str) -> str:
    return REFERENCE.joinpath(*parts).read_text()


def section(text: str, heading: str) -> str:
    """Return what stands below a heading of a page, up to the next one."""
    found = re.search(
        rf"^#+ {re.escape(heading)}\n(.*?)(?=^#+ |\Z)", text, re.MULTILINE | re.DOTALL
    )
    assert found, f"no heading {heading!r}"
    return found[1]


def first_column(text: str) -> list[str]:
    """Return the code in the first column of the tables of a text."""
    return re.findall(r"^\| `([^`]*)` \|", text, re.MULTILINE)


# The Python interface


@pytest.mark.parametrize("face", FACES)
def test_every_name_of_a_face_is_in_its_reference(face):
    names = getattr(importlib.import_module(f"databroker.{face}"), "__all__", ERRORS)
    documented = re.findall(r"^\.\. \S+:: (\w+)$|`(\w+)`", page("api", f"{face}.md"), re.MULTILINE)
    assert set(names) <= {name for found in documented for name in found}


def test_every_name_of_the_package_is_in_its_reference():
    text = page("api", "databroker.md")
    assert [name for name in [*databroker.__all__, "open"] if name not in text] == []


def test_every_error_is_in_the_reference():
    documented = re.findall(r"^\.\. autoexception:: (\w+)$", page("api", "errors.md"), re.MULTILINE)
    assert sorted(documented) == sorted(ERRORS)


# Queries


def test_every_query_operator_is_in_the_reference_and_no_other():
    named = re.findall(r"\$\w+", page("query-language.md"))
    assert set(named) - {"$search"} == set(OPERATORS)


# The storage format


def test_the_tables_are_made_as_the_reference_says():
    written = ";".join(
        re.findall(r"^```sql\n(.*?)^```", page("storage-format.md"), re.MULTILINE | re.DOTALL)
    )
    statements = create_statements(statements_for("sqlite").dialect)
    assert sorted(filter(None, map(normalized, written.split(";")))) == sorted(
        map(normalized, statements)
    )


def normalized(statement: str) -> str:
    return re.sub(r"\s+", "", statement)


@pytest.mark.parametrize("table", metadata.tables.values(), ids=str)
def test_every_column_of_a_table_is_in_the_reference(table):
    described = section(page("storage-format.md"), f"`{table.name}`")
    assert first_column(described) == [column.name for column in table.columns]


def test_every_encoding_is_in_the_reference():
    assert first_column(section(page("storage-format.md"), "Encodings")) == list(_ENCODINGS)


def test_every_extension_type_is_in_the_reference():
    rows = re.findall(
        r"^\| (\d+) \|", section(page("storage-format.md"), "Packed values"), re.MULTILINE
    )
    assert [int(row) for row in rows] == list(_DECODERS)


def test_every_tag_of_the_search_index_is_in_the_reference():
    rows = re.findall(
        r"^\| 0x(\w\w) \|", section(page("storage-format.md"), "The search index"), re.MULTILINE
    )
    assert [int(row, 16) for row in rows] == list(Tag)


def test_the_reference_names_the_format_and_the_mark_of_a_store():
    text = page("storage-format.md")
    assert f"This is format **{FORMAT}**" in text
    assert f"0x{APPLICATION_ID:X}" in text


@pytest.fixture(scope="module")
def newest_run():
    """The reader that the reference shows, which uses nothing of Databroker."""
    code = section(page("storage-format.md"), "A reader").split("```python\n")[1].split("```")[0]
    assert "databroker" not in code
    namespace = {}
    exec(code, namespace)
    return namespace["newest_run"]


def odd_columns_run():
    """Columns that need every encoding of plain values, with None and absent ones."""
    run = RunBuilder("odd columns")
    primary = run.descriptor({"x": 0.0})
    texts = ("é", "", "\ud800", "a longer one")
    for number in range(700):
        data = {
            "irregular": number**3,
            "half": number / 2 if number % 3 else number,
            "bool": number % 5 == 0,
            "label": texts[number % 4],
            "text": texts[number % 4] + str(number),
            "matrix": [[number, 1], [2, 3]],
            "ragged": [0.5] * (number % 3),
            "none": None if number % 7 else 1.5,
            "objects": {"a": number, 2: [None]},
            **({"absent": number} if number % 11 == 0 else {}),
        }
        run.event(primary, data)
    run.stop()
    return run.documents


READ = {
    "simple": lambda: simple_run(events=20),
    "long": lambda: simple_run(events=20_000),
    "odd columns": odd_columns_run,
    "rewound": rewound_run,
    "several descriptors": several_descriptors_run,
    "stream datums": stream_datum_run,
}


@pytest.mark.parametrize("name", READ)
def test_the_reader_of_the_reference_reads_a_closed_store(newest_run, name, tmp_path):
    recorded = READ[name]()
    with databroker.open(tmp_path / "runs.db") as catalog:
        for kind, doc in recorded:
            catalog.insert(kind, doc)
    assert_identical(by_uid(recorded), documents_of(newest_run(tmp_path / "runs.db")))


@pytest.mark.parametrize("name", READ)
def test_the_reader_of_the_reference_reads_a_run_that_goes_on(newest_run, name, tmp_path):
    recorded = [item for item in READ[name]() if item[0] != "stop"]
    with databroker.open(tmp_path / "runs.db") as catalog:
        for kind, doc in recorded:
            catalog.insert(kind, doc)
        catalog.flush()
        assert_identical(by_uid(recorded), documents_of(newest_run(tmp_path / "runs.db")))


def by_uid(recorded):
    return {doc["uid"]: doc for _, doc in recorded}


def documents_of(read):
    """Return what the reader gives as single documents, by their uids."""
    start, others = read
    documents = {start["uid"]: start}
    for kind, doc, rows in others:
        documents[doc["uid"]] = doc
        for row in rows:
            document = {kind: doc["uid"], **single(row, *GROUPS[kind])}
            documents[document["uid"]] = document
    return documents


GROUPS = {"descriptor": EVENT.groups, "stream_resource": STREAM_DATUM.groups}


def single(row, *groups):
    document = {group: {} for group in groups}
    for (group, name), value in row.items():
        match group:
            case "":
                document[name] = value
            case "#":
                pass
            case _:
                document[group][name] = value
    return document


# Decisions


@pytest.mark.parametrize("decision", DECISIONS, ids=lambda decision: decision.stem)
def test_a_decision_record_has_its_four_parts(decision):
    text = decision.read_text()
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == [
        "Status",
        "Context",
        "Decision",
        "Consequences",
    ]
    assert text.startswith(f"# {int(decision.stem[:4])}. ")
    assert all(section(text, part).strip() for part in ("Status", "Context", "Decision"))


def test_every_decision_record_is_listed():
    listed = (DOCS / "explanations" / "decisions" / "index.md").read_text()
    assert DECISIONS
    assert [path.stem for path in DECISIONS if f"\n{path.stem}\n" not in listed] == []
