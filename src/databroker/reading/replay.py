"""The documents of a Run, in the order of the experiment."""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from databroker.documents.columns import Table
from databroker.documents.document import KINDS
from databroker.documents.pages import DATUM, EVENT, LACKS, ORDINAL, RowKind, documents_of
from databroker.reading.transforms import Transforms, transformed
from databroker.stores.protocol import RunStore

Named: TypeAlias = tuple[str, Mapping[str, Any]]

ROWS_AT_A_TIME = 8192
"""How many Events are in memory at a time, for each descriptor."""


def documents(
    store: RunStore, uid: str, transforms: Transforms, *, one_row_pages: bool
) -> Iterator[Named]:
    """Yield the documents of a Run, external data unfilled.

    First the Run Start, then the descriptors and Resources, then Datums and Stream Datums, then
    Event Pages, documents of other kinds, and at last the Run Stop, if it came.

    Parameters
    ----------
    store, uid
        The Run.
    transforms
        What patches the documents.
    one_row_pages
        Each Event is a page of its own, and those of different streams are ordered by time, equal
        times by arrival. Otherwise pages are large, one descriptor behind the other.
    """
    # Asked for first: where there is a Run Stop, all that came before it is there.
    stop = store.run_stops([uid])[0]
    yield "start", transformed("start", store.run_starts([uid])[0], transforms)
    descriptors = store.descriptors(uid)
    for descriptor in descriptors:
        yield "descriptor", transformed("descriptor", descriptor, transforms)
    yield from resources_and_datums(store, uid, transforms)
    uids = [descriptor["uid"] for descriptor in descriptors]
    if one_row_pages:
        yield from _in_order_of_time(store, uid, uids)
    else:
        for descriptor in uids:
            for table in _tables(store, uid, descriptor):
                yield from (("event_page", page) for page in event_pages(table, descriptor))
    for _, name, document in store.other_documents(uid):
        kind = KINDS.get(name, dict)
        yield name, kind(document)
    if stop is not None:
        yield "stop", transformed("stop", stop, transforms)


def resources_and_datums(store: RunStore, uid: str, transforms: Transforms) -> Iterator[Named]:
    """Yield what points to external data."""
    resources = store.resources(uid)
    for resource in resources:
        yield "resource", transformed("resource", resource, transforms)
    for resource in store.stream_resources(uid):
        yield "stream_resource", KINDS["stream_resource"](resource)
    for resource in resources:
        yield from _datums(store.datums(uid, resource["uid"]), resource["uid"])
    for datum in store.stream_datums(uid):
        yield "stream_datum", KINDS["stream_datum"](datum)


def _datums(table: Table, resource: str) -> Iterator[Named]:
    if table.count and _is_page(table, DATUM):
        columns = {name: column.to_pylist() for (_, name), column in table.columns.items()}
        names = table.names("datum_kwargs")
        yield (
            "datum_page",
            {
                "resource": resource,
                "datum_id": columns[DATUM.uid],
                "datum_kwargs": {name: columns[name] for name in names},
            },
        )
        return
    for document in documents_of(table, DATUM, resource):
        yield "datum", KINDS["datum"](document)


def _is_page(table: Table, kind: RowKind) -> bool:
    """Tell whether all rows have the same keys, and none beside the usual ones."""
    usual = {("", kind.uid), ORDINAL}
    return all(
        (key in usual or key[0] in kind.groups) and not column.is_absent().any()
        for key, column in table.columns.items()
    )


# Events


def _tables(store: RunStore, uid: str, descriptor: str) -> Iterator[Table]:
    count = store.event_count(uid, descriptor)
    for start in range(0, count, ROWS_AT_A_TIME):
        rows = slice(start, min(start + ROWS_AT_A_TIME, count))
        yield store.columns(uid, descriptor, None, rows)


def _in_order_of_time(store: RunStore, uid: str, descriptors: Sequence[str]) -> Iterator[Named]:
    pages = [_one_row_pages(store, uid, descriptor) for descriptor in descriptors]
    if len(pages) == 1:
        yield from (("event_page", page) for page in pages[0])
        return
    for place in _order(store, uid, descriptors):
        yield "event_page", next(pages[place])


def _order(store: RunStore, uid: str, descriptors: Sequence[str]) -> list[int]:
    """Return which descriptor each Event belongs to, in order of time.

    The Events of one descriptor stay in order of arrival, even where their times go back.
    """
    times, ordinals, places = [], [], []
    for place, descriptor in enumerate(descriptors):
        table = store.columns(uid, descriptor, [("", "time"), ORDINAL])
        if table.count:
            times.append(np.maximum.accumulate(_times(table)))
            ordinals.append(table.columns[ORDINAL].to_numpy())
            places.append(np.full(table.count, place))
    if not places:
        return []
    order = np.lexsort((np.concatenate(ordinals), np.concatenate(times)))
    return np.concatenate(places)[order].tolist()


def _times(table: Table) -> np.ndarray:
    """Return the times as floats; what is no number does not take part in the order."""
    column = table.columns.get(("", "time"))
    values = np.full(table.count, -np.inf) if column is None else column.to_numpy()
    if values.dtype.kind not in "iuf":
        values = np.array([v if isinstance(v, int | float) else -np.inf for v in values], float)
    return np.nan_to_num(values.astype(float), nan=-np.inf)


def _one_row_pages(store: RunStore, uid: str, descriptor: str) -> Iterator[dict[str, Any]]:
    for table in _tables(store, uid, descriptor):
        yield from one_row_pages(table, descriptor)


def one_row_pages(table: Table, descriptor: str) -> Iterator[dict[str, Any]]:
    """Yield each Event as a page of one row."""
    if any(group == LACKS for group, _ in table.columns) or _has_absent(table):
        for row in documents_of(table, EVENT, descriptor):
            yield _page_of_event(row)
        return
    own, data_names, timestamp_names, filled_names = (
        table.names(group) for group in ("", *EVENT.groups)
    )
    rows = zip(*(_rows_of(table, group) for group in ("", *EVENT.groups)), strict=True)
    for items, data, timestamps, filled in rows:
        # Lists that live no longer than their page cost no garbage collection. The names are as
        # many as the values: they come from one table.
        page: dict[str, Any] = {name: [value] for name, value in zip(own, items, strict=False)}
        page["descriptor"] = descriptor
        page["data"] = {name: [value] for name, value in zip(data_names, data, strict=False)}
        page["timestamps"] = {
            name: [value] for name, value in zip(timestamp_names, timestamps, strict=False)
        }
        page["filled"] = {name: [value] for name, value in zip(filled_names, filled, strict=False)}
        yield page


def _rows_of(table: Table, group: str) -> Iterable[tuple[Any, ...]]:
    """Yield the values of a group of columns, row by row."""
    columns = [table.columns[group, name].to_pylist() for name in table.names(group)]
    return zip(*columns, strict=True) if columns else itertools.repeat((), table.count)


def _has_absent(table: Table) -> bool:
    return any(part.absent is not None for c in table.columns.values() for part in c.parts)


def _page_of_event(event: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: {key: [item] for key, item in value.items()}
        if name in EVENT.groups and isinstance(value, dict)
        else value
        if name == "descriptor"
        else [value]
        for name, value in event.items()
    }


def event_pages(table: Table, descriptor: str) -> Iterator[dict[str, Any]]:
    """Yield Events as pages that are as large as can be."""
    if any(group == LACKS for group, _ in table.columns) or _has_absent(table):
        yield from one_row_pages(table, descriptor)
        return
    page: dict[str, Any] = {"descriptor": descriptor}
    for name in table.names(""):
        page[name] = table.columns["", name].to_pylist()
    for group in EVENT.groups:
        page[group] = {name: table.columns[group, name].to_pylist() for name in table.names(group)}
    yield page
