"""Ask databroker 1.2.5 how it answers, and keep the answers as JSON.

Run it in a virtual environment with ``databroker==1.2.5 intake==0.6.4 "numpy<2" "pandas<2"``::

    python record_1_2_5.py            # writes databroker_1_2_5.json beside this file

The JSON file has four parts.

``cases``
    Runs as lists of ``[name, document]``, and what 1.2.5 gives back for each.
``lookup``
    Five Runs, and Python expressions over a catalog ``cat`` of them, with their answers.
``behavior``
    Python expressions over the names of `namespace`, with their answers.
``signatures``
    The parameters of the public callables.

The Runs are composed in ``golden_runs.py``, the questions asked in ``golden_answers.py``, which
need no databroker. The expressions stand in ``lookup.txt``, ``behavior.txt`` and
``signatures.txt``, one to a line.

An answer is ``{"value": …}`` or ``{"raises": [type, message]}``, with
``"warns": [[type, message]]`` where databroker warned. NaN and infinities are written as strings,
arrays as lists, and what is no JSON as ``{"type": …, "repr": …}``.
"""

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import version
from typing import Any

from golden_answers import RECORDED, Answer, asked, asked_of_run, expressions, signature
from golden_names import namespace
from golden_runs import (
    CASES,
    CASES_ABOUT_CONFIGURATION,
    Named,
    lookup_runs,
    one_descriptor,
    replay,
)

import databroker.v2
from databroker import in_memory

LINE = 110


# --- putting Runs into databroker ----------------------------------------------------------------


def record_case(case: Callable[[str], list[Named]]) -> Answer:
    """Record everything about one Run."""
    documents = case(case.__name__)
    run = catalog_of([documents])[documents[0][1]["uid"]]
    asked_about = asked_of_run(run, with_configuration=case in CASES_ABOUT_CONFIGURATION)
    return {"about": case.__doc__, "documents": documents, **asked_about}


# --- asking by expressions -----------------------------------------------------------------------


def catalog_of(
    runs: Iterable[list[Named]],
    handler_registry: Mapping[str, Any] | None = None,
    transforms: Mapping[str, Any] | None = None,
) -> in_memory.BlueskyInMemoryCatalog:
    """Build a catalog in memory."""
    catalog = in_memory.BlueskyInMemoryCatalog(
        handler_registry=handler_registry or {}, transforms=transforms
    )
    for documents in runs:
        run_start = documents[0][1]
        last = documents[-1]
        catalog.upsert(run_start, last[1] if last[0] == "stop" else None, replay, (documents,), {})
    return catalog


def lookup_namespace() -> dict[str, Any]:
    """Make the names for look-ups, with the catalog of five Runs as ``cat``."""
    catalog = databroker.v2.temp()
    for documents in lookup_runs().values():
        for name, document in documents:
            catalog.v1.insert(name, document)
    in_memory_catalog = catalog_of(lookup_runs().values())
    return namespace(catalog_of) | {"cat": catalog, "in_memory_cat": in_memory_catalog}


def behavior_namespace() -> dict[str, Any]:
    """Make the names for everything else, with a catalog of one Run as ``cat``."""
    return namespace(catalog_of) | {"cat": catalog_of([one_descriptor("one_descriptor")])}


def all_asked(topic: str, names: dict[str, Any]) -> list[list[Any]]:
    """Answer the expressions about a topic one after the other, in one namespace."""
    return [[expression, asked(expression, names)] for expression in expressions(topic)]


# --- writing -------------------------------------------------------------------------------------


def pretty_json(value: Any, indent: str = "") -> str:
    """Write JSON with one line for whatever fits into one."""
    short = json.dumps(value, ensure_ascii=False, sort_keys=True)
    if len(indent) + len(short) <= LINE or not isinstance(value, dict | list) or not value:
        return short
    deeper = indent + " "
    if isinstance(value, list):
        return braced("[]", [pretty_json(item, deeper) for item in value], indent)
    lines = [
        f"{json.dumps(key, ensure_ascii=False)}: {pretty_json(value[key], deeper)}"
        for key in sorted(value)
    ]
    return braced("{}", lines, indent)


def braced(braces: str, lines: list[str], indent: str) -> str:
    """Put lines between braces."""
    separator = f",\n{indent} "
    return f"{braces[0]}\n{indent} {separator.join(lines)}\n{indent}{braces[1]}"


def signatures(names: dict[str, Any]) -> dict[str, list[str]]:
    """Say the parameters of the public callables."""
    return {name: signature(name, names) for name in expressions("signatures")}


def everything() -> Answer:
    """Ask all questions."""
    return {
        "databroker": version("databroker"),
        "cases": {case.__name__: record_case(case) for case in CASES},
        "lookup": {
            "runs": [[name, documents] for name, documents in lookup_runs().items()],
            "answers": all_asked("lookup", lookup_namespace()),
        },
        "behavior": all_asked("behavior", behavior_namespace()),
        "signatures": {
            name: signature(name, namespace(catalog_of)) for name in expressions("signatures")
        },
    }


def main() -> None:
    """Write the answers beside this file, always the same.

    Times of day are those of UTC. 1.2.5 lists streams, descriptors and names from sets, so the
    order of their hashes is fixed too.
    """
    fixed = {"TZ": "UTC", "PYTHONHASHSEED": "0"}
    if any(os.environ.get(name) != value for name, value in fixed.items()):
        os.execve(sys.executable, [sys.executable, __file__], os.environ | fixed)
    RECORDED.write_text(pretty_json(everything()) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
