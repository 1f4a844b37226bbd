"""How catalogs, Runs and streams show themselves: as text, and as HTML in notebooks."""

import html
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from databroker.documents.descriptors import merged_data_keys
from databroker.documents.document import stream_of

if TYPE_CHECKING:
    from databroker.catalogs.broker import Broker
    from databroker.catalogs.run import BlueskyRun
    from databroker.catalogs.stream import BlueskyEventStream

NEWEST = 10
"""How many Runs a catalog shows."""

STREAMS = 10
"""How many streams a Run shows, and how many data keys a stream."""

COLUMNS = ("scan_id", "uid", "time", "plan_name", "status")


def time_text(time: Any) -> str:
    """Return seconds since 1970 as local time, '?' for what is no time.

    Examples
    --------
    >>> time_text(None)
    '?'
    """
    try:
        local = datetime.fromtimestamp(time, UTC).astimezone()
    except (TypeError, ValueError, OverflowError, OSError):
        return "?"
    return local.strftime("%Y-%m-%d %H:%M:%S.") + f"{local.microsecond // 1000:03}"


def status_text(stop: Mapping[str, Any] | None) -> str:
    """Return how a Run ended; an open one has no Run Stop."""
    return "open" if stop is None else str(stop.get("exit_status", "?"))


# Catalogs


def _run_rows(catalog: "Broker") -> list[list[str]]:
    store = catalog._store
    uids = store.uids(limit=NEWEST + 1)
    starts, stops = store.run_starts(uids), store.run_stops(uids)
    return [
        [
            str(start.get("scan_id", "")),
            uid[:8],
            time_text(start.get("time"))[:19],
            str(start.get("plan_name", "")),
            status_text(stop),
        ]
        for uid, start, stop in zip(uids, starts, stops, strict=True)
    ]


def catalog_text(catalog: "Broker") -> str:
    """Return a catalog with its newest Runs."""
    rows = _run_rows(catalog)
    title = _catalog_title(catalog, len(rows))
    return "\n".join([title, *_table_text(COLUMNS, rows[:NEWEST])]) if rows else title


def catalog_html(catalog: "Broker") -> str:
    """Return a catalog with its newest Runs, as HTML."""
    rows = _run_rows(catalog)
    title = html.escape(_catalog_title(catalog, len(rows)))
    return f"<h4>{title}</h4>{_table_html(COLUMNS, rows[:NEWEST])}"


def _catalog_title(catalog: "Broker", found: int) -> str:
    """Say how many Runs there are, as far as that is known without counting them all."""
    match found:
        case 1:
            count = "1 Run"
        case _ if found <= NEWEST:
            count = f"{found} Runs"
        case _:
            count = f"the {NEWEST} newest Runs"
    return f"{catalog.name or 'Catalog'}: {count} in {catalog._store.uri}"


# Runs


def _run_facts(run: "BlueskyRun") -> list[tuple[str, str]]:
    metadata = run.metadata
    start, stop = metadata["start"], metadata["stop"]
    ended = "?" if stop is None else time_text(stop.get("time"))
    facts = [
        ("uid", repr(run.uid)),
        ("scan_id", repr(start.get("scan_id"))),
        ("plan_name", repr(start.get("plan_name"))),
        ("exit_status", repr(None if stop is None else stop.get("exit_status"))),
        ("time", f"{time_text(start.get('time'))} -- {ended}"),
    ]
    return [fact for fact in facts if fact[1] != "None" or fact[0] == "exit_status"]


def _stream_rows(run: "BlueskyRun") -> list[tuple[str, int]]:
    counts = dict.fromkeys(list(run)[:STREAMS], 0)
    for descriptor in run._descriptors:
        stream = stream_of(descriptor)
        if stream in counts:
            counts[stream] += run._store.event_count(run.uid, descriptor["uid"])
    return list(counts.items())


def run_text(run: "BlueskyRun") -> str:
    """Return a Run with its metadata and streams."""
    facts = [value if name == "time" else f"{name}={value}" for name, value in _run_facts(run)]
    streams = [f"  * {name}  ({_events(count)})" for name, count in _stream_rows(run)]
    more = [f"  … and {len(run) - STREAMS} more"] if len(run) > STREAMS else []
    lines = [*facts, "Streams:", *streams, *more]
    return "\n".join(["BlueskyRun", *(f"  {line}" for line in lines)])


def run_html(run: "BlueskyRun") -> str:
    """Return a Run with its metadata and streams, as HTML."""
    streams = [(name, _events(count)) for name, count in _stream_rows(run)]
    if len(run) > STREAMS:
        streams.append(("…", f"and {len(run) - STREAMS} more"))
    facts = _table_html(("Run", ""), _run_facts(run))
    return facts + _table_html(("Stream", "Events"), streams)


def _events(count: int) -> str:
    return "1 Event" if count == 1 else f"{count:,} Events"


# Streams


def _data_key_rows(stream: "BlueskyEventStream") -> list[list[str]]:
    data_keys = merged_data_keys(stream.descriptors)
    return [
        [
            name,
            str(data_keys.get(name, {}).get("dtype", "")),
            str(list(data_keys.get(name, {}).get("shape") or [])),
            str(data_keys.get(name, {}).get("units") or ""),
        ]
        for name in list(stream)[:STREAMS]
    ]


def stream_text(stream: "BlueskyEventStream") -> str:
    """Return a stream with its data keys."""
    title = f"{stream!r}: {_events(stream.shape[0])}"
    more = [f"  … and {len(stream) - STREAMS} more"] if len(stream) > STREAMS else []
    table = _table_text(("data key", "dtype", "shape", "units"), _data_key_rows(stream))
    return "\n".join([title, *table, *more])


def stream_html(stream: "BlueskyEventStream") -> str:
    """Return a stream with its data keys, as HTML."""
    title = html.escape(f"{stream!r}: {_events(stream.shape[0])}")
    table = _table_html(("data key", "dtype", "shape", "units"), _data_key_rows(stream))
    more = f"<p>… and {len(stream) - STREAMS} more</p>" if len(stream) > STREAMS else ""
    return f"<h4>{title}</h4>{table}{more}"


# Tables


def _table_text(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [titles, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        "  "
        + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]


def _table_html(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{html.escape(title)}</th>" for title in titles)
    body = "".join(
        f"<tr>{''.join(f'<td>{html.escape(str(cell))}</td>' for cell in row)}</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
