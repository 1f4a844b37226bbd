"""The names that the expressions use."""

import copy
import importlib.util
import json  # noqa: F401  for the expressions
import math  # noqa: F401  for the expressions
import operator  # noqa: F401  for the expressions
import pickle  # noqa: F401  for the expressions
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import event_model
import numpy as np  # noqa: F401  for the expressions
from golden_answers import (
    answer,
    described,  # noqa: F401  for the expressions
    event_pages,  # noqa: F401  for the expressions
    plain,  # noqa: F401  for the expressions
    pretty,
    summaries,  # noqa: F401  for the expressions
)
from golden_runs import (
    EPOCH,
    Constant,
    Document,
    event,
    external,
    one_descriptor,
    without_filled,
)

import databroker
import databroker.v2
from databroker import core, queries  # noqa: F401  queries is for the expressions

if importlib.util.find_spec("databroker.in_memory"):
    from databroker import in_memory  # noqa: F401  for the expressions

CatalogOf: TypeAlias = Callable[..., Any]
"""Makes a catalog; takes Runs, handlers and transforms."""

pack_event_page: Any = event_model.pack_event_page  # its types are narrower than our Documents


def namespace(catalog_of: CatalogOf) -> dict[str, Any]:
    """Make the names that the expressions use, but for ``cat``, the catalog that they are about."""
    documents = one_descriptor("one_descriptor")
    run_start_uid = documents[0][1]["uid"]
    runs = catalog_of([documents])
    handlers = {"CONSTANT": Constant}
    return globals() | {
        "documents": documents,
        "run_start_uid": run_start_uid,
        "runs": runs,
        "run": runs[run_start_uid],
        "stream": runs[run_start_uid]["primary"],
        "doc": core.Start({"uid": run_start_uid, "time": EPOCH, "nested": {"list": [1, 2]}}),
        "ext": catalog_of([external("external")], handlers)[-1],
        "blind": catalog_of([external("external")])[-1],
        "empty": catalog_of([]),
        "temp": databroker.v2.temp(),
        "pretty_of": pretty,
        "fresh": lambda: catalog_of([documents])[-1]["primary"],
        "fresh_external": lambda: catalog_of([external("external")], handlers)[-1]["primary"],
        "catalog_with": lambda **transforms: catalog_of([documents], transforms=transforms),
    }


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


def by_hand(**kwargs: Any) -> core.BlueskyRun:
    """Make a Run of ten callables."""
    documents = without_filled("by_hand")
    (_, run_start), (_, first), *events, (_, run_stop) = documents
    page = pack_event_page(*(document for _, document in copy.deepcopy(events)))
    arguments: dict[str, Any] = {
        "get_run_start": lambda: run_start,
        "get_run_stop": lambda: run_stop,
        "get_event_descriptors": lambda: [first],
        "get_event_pages": lambda descriptor_uid, skip=0, limit=None: iter([copy.deepcopy(page)]),
        "get_event_count": lambda descriptor_uid: len(events),
        "get_resource": lambda uid: None,
        "get_resources": list,
        "lookup_resource_for_datum": lambda datum_id: None,
        "get_datum_pages": lambda resource_uid, skip=0, limit=None: iter([]),
        "get_filler": lambda **filler: event_model.Filler({}, inplace=False, **filler),
        "entry": None,
        "transforms": core.parse_transforms(None),
    }
    return core.BlueskyRun(**arguments | kwargs)


def by_hand_with_entry(**kwargs: Any) -> core.BlueskyRun:
    """Make a Run of ten callables that knows its entry, as storage drivers make them."""
    arguments: dict[str, Any] = {
        "name": "the entry",
        "description": "",
        "driver": "databroker.core.BlueskyRun",
        "direct_access": "forbid",
        "args": {},
        "metadata": {},
    }
    return by_hand(entry=core.Entry(**arguments), **kwargs)


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
        yield pack_event_page(
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
