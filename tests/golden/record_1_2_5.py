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

import copy
import json
import math  # noqa: F401  for the expressions
import operator  # noqa: F401  for the expressions
import os
import pickle  # noqa: F401  for the expressions
import re  # noqa: F401  for the expressions
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.metadata import version
from typing import Any

import event_model
import numpy as np  # noqa: F401  for the expressions
from golden_answers import (
    RECORDED,
    Answer,
    answer,
    asked,
    asked_of_run,
    described,  # noqa: F401  for the expressions
    event_pages,  # noqa: F401  for the expressions
    expressions,
    plain,  # noqa: F401  for the expressions
    pretty,
    signature,
    summaries,  # noqa: F401  for the expressions
)
from golden_runs import (
    CASES,
    CASES_ABOUT_CONFIGURATION,
    EPOCH,
    Constant,
    Document,
    Named,
    event,
    external,
    lookup_runs,
    one_descriptor,
    replay,
    without_filled,
)

import databroker
import databroker.v2
from databroker import core, in_memory, queries  # noqa: F401  queries is for the expressions

LINE = 110


# --- putting Runs into databroker ----------------------------------------------------------------


def catalog_of(
    runs: Iterable[list[Named]], handler_registry: Mapping[str, Any] | None = None
) -> in_memory.BlueskyInMemoryCatalog:
    """Build a catalog in memory."""
    catalog = in_memory.BlueskyInMemoryCatalog(handler_registry=handler_registry or {})
    for documents in runs:
        run_start = documents[0][1]
        last = documents[-1]
        catalog.upsert(run_start, last[1] if last[0] == "stop" else None, replay, (documents,), {})
    return catalog


def record_case(case: Callable[[str], list[Named]]) -> Answer:
    """Record everything about one Run."""
    documents = case(case.__name__)
    run = catalog_of([documents])[documents[0][1]["uid"]]
    asked_about = asked_of_run(run, with_configuration=case in CASES_ABOUT_CONFIGURATION)
    return {"about": case.__doc__, "documents": documents, **asked_about}


# --- asking by expressions -----------------------------------------------------------------------


def namespace() -> dict[str, Any]:
    """Make the names that the expressions of ``lookup`` and ``behavior`` use."""
    documents = one_descriptor("one_descriptor")
    run_start_uid = documents[0][1]["uid"]
    runs = catalog_of([documents])
    return globals() | {
        "documents": documents,
        "run_start_uid": run_start_uid,
        "runs": runs,
        "run": runs[run_start_uid],
        "stream": runs[run_start_uid]["primary"],
        "doc": core.Start({"uid": run_start_uid, "time": EPOCH, "nested": {"list": [1, 2]}}),
        "ext": catalog_of([external("external")], {"CONSTANT": Constant})[-1],
        "blind": catalog_of([external("external")])[-1],
        "empty": catalog_of([]),
        "temp": databroker.v2.temp(),
        "cache_after": cache_after,
        "pretty_of": pretty,
        "dask_tokenize": dask_tokenize,
    }


def lookup_namespace() -> dict[str, Any]:
    """Make the names for look-ups: as `namespace`, with the catalog of five Runs as ``cat``."""
    catalog = databroker.v2.temp()
    for documents in lookup_runs().values():
        for name, document in documents:
            catalog.v1.insert(name, document)
    return namespace() | {"cat": catalog, "in_memory_cat": catalog_of(lookup_runs().values())}


def behavior_namespace() -> dict[str, Any]:
    """Make the names for everything else, with a catalog of one Run as ``cat``."""
    return namespace() | {"cat": catalog_of([one_descriptor("one_descriptor")])}


def dask_tokenize(thing: Any) -> str:
    """Name a thing as dask does."""
    from dask.base import tokenize

    return tokenize(thing)


def cache_after(count: int) -> core.SingleRunCache:
    """Feed a cache with the first documents of a Run."""
    cache = core.SingleRunCache()
    for name, document in copy.deepcopy(one_descriptor("one_descriptor")[:count]):
        cache.callback(name, document)
    return cache


def fresh() -> core.BlueskyEventStream:
    """Open a stream that nobody read before."""
    return catalog_of([one_descriptor("one_descriptor")])[-1]["primary"]


def fresh_external() -> core.BlueskyEventStream:
    """Open a stream with external data that nobody read before."""
    return catalog_of([external("external")], {"CONSTANT": Constant})[-1]["primary"]


def by_hand(**kwargs: Any) -> core.BlueskyRun:
    """Make a Run of ten callables."""
    documents = without_filled("by_hand")
    (_, run_start), (_, first), *events, (_, run_stop) = documents
    page = event_model.pack_event_page(*(document for _, document in copy.deepcopy(events)))
    return core.BlueskyRun(
        get_run_start=lambda: run_start,
        get_run_stop=lambda: run_stop,
        get_event_descriptors=lambda: [first],
        get_event_pages=lambda descriptor_uid, skip=0, limit=None: iter([copy.deepcopy(page)]),
        get_event_count=lambda descriptor_uid: len(events),
        get_resource=lambda uid: None,
        get_resources=list,
        lookup_resource_for_datum=lambda datum_id: None,
        get_datum_pages=lambda resource_uid, skip=0, limit=None: iter([]),
        get_filler=lambda **filler: event_model.Filler({}, inplace=False, **filler),
        **{"entry": None, "transforms": core.parse_transforms(None)} | kwargs,
    )


def by_hand_with_entry(**kwargs: Any) -> core.BlueskyRun:
    """Make a Run of ten callables that knows its entry, as storage drivers make them."""
    entry = core.Entry(
        name="the entry",
        description="",
        driver="databroker.core.BlueskyRun",
        direct_access="forbid",
        args={},
        metadata={},
    )
    return by_hand(entry=entry, **kwargs)


def cursor_of(count: int) -> Callable[..., Iterator[Document]]:
    """Make a callable that gives that many Events, as storage drivers have one."""
    events = [event("cursor", "d1", f"e{i}", i, i, a=i)[1] for i in range(1, count + 1)]

    def events_of(*args: Any, **kwargs: Any) -> Iterator[Document]:
        return iter(copy.deepcopy(events))

    return events_of


def datum_cursor_of(count: int) -> Callable[..., Iterator[Document]]:
    """Make a callable that gives that many Datums."""
    datums = [
        {"datum_id": f"r/{i}", "resource": "r", "datum_kwargs": {"i": i}}
        for i in range(1, count + 1)
    ]

    def datums_of(*args: Any, **kwargs: Any) -> Iterator[Document]:
        return iter(copy.deepcopy(datums))

    return datums_of


def pages_at(*times: float, uid: str = "") -> Iterator[Document]:
    """Yield one Event Page with an Event at each time."""
    if times:
        yield event_model.pack_event_page(
            *(event("pages", "d1", f"{uid}{t}", i, t, a=t)[1] for i, t in enumerate(times, 1))
        )


def interlaced(pages: list[Iterator[Document]], chunk_size: int) -> list[Any]:
    """List the times and uids of the pages, interlaced."""
    given = core._interlace_event_page_chunks(*pages, chunk_size=chunk_size)
    return [[[t - EPOCH for t in page["time"]], page["uid"]] for page in given]


def attempts(error: type[Exception], failures: int) -> dict[str, Any]:
    """Call a method that fails so many times, and count."""

    class Flaky:
        calls = 0
        reloads = 0

        def force_reload(self) -> None:
            self.reloads += 1

        @core.retry
        def ask(self) -> str:
            self.calls += 1
            if self.calls <= failures:
                raise error("not yet")
            return "done"

    flaky = Flaky()
    said = answer(flaky.ask)
    return {"said": said, "calls": flaky.calls, "reloads": flaky.reloads}


def catalog_with(**transforms: Callable[[Document], Document]) -> in_memory.BlueskyInMemoryCatalog:
    """Build a catalog of one Run with transforms."""
    documents = one_descriptor("one_descriptor")
    catalog = in_memory.BlueskyInMemoryCatalog(transforms=transforms)
    catalog.upsert(documents[0][1], documents[-1][1], replay, (documents,), {})
    return catalog


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
        "signatures": {name: signature(name, globals()) for name in expressions("signatures")},
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
