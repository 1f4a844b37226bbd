"""What to do with each document that comes in: which Run it belongs to, and whether it is new.

The rules are the same for every store, which takes part through a `Ledger`.
"""

import threading
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Protocol, TypeAlias

import numpy as np

from databroker.documents.columns import Table
from databroker.documents.document import stream_of
from databroker.documents.packing import canonical, pack, unpack
from databroker.documents.pages import (
    DATUM,
    EVENT,
    ROW_KINDS,
    ROW_PARENTS,
    RowKind,
    documents_of,
    table_of_page,
)
from databroker.errors import (
    ConflictError,
    ConflictWarning,
    InvalidDocumentError,
    MetadataWarning,
)
from databroker.stores.protocol import JSONDocument, Problem

PARENTS: dict[str, tuple[str, str]] = {
    "stop": ("run_start", "start"),
    "descriptor": ("run_start", "start"),
    "resource": ("run_start", "start"),
    "stream_resource": ("run_start", "start"),
    "event": ("descriptor", "descriptor"),
    "datum": ("resource", "resource"),
    "stream_datum": ("stream_resource", "stream_resource"),
}
"""Which item of a document names its parent, and what kind of document that is."""

PAGES: dict[str, RowKind] = {"event_page": EVENT, "datum_page": DATUM}


@dataclass(frozen=True, slots=True)
class NewRun:
    """A Run begins."""

    run: str
    start: JSONDocument


@dataclass(frozen=True, slots=True)
class Single:
    """A document of a Run that is kept by itself."""

    run: str
    kind: str
    uid: str
    stream: str | None
    document: JSONDocument


@dataclass(frozen=True, slots=True)
class Rows:
    """Documents of one parent that are kept in columns: one by itself, or a table of them."""

    run: str
    kind: RowKind
    parent: str
    rows: JSONDocument | Table

    @property
    def count(self) -> int:
        return self.rows.count if isinstance(self.rows, Table) else 1

    def documents(self) -> list[JSONDocument]:
        """Return the rows as single documents."""
        if isinstance(self.rows, Table):
            return documents_of(self.rows, self.kind, self.parent)
        return [self.rows]


@dataclass(frozen=True, slots=True)
class Aside:
    """A document without a place, and the uid of the parent that would give it one."""

    problem: Problem
    parent: str | None


Entry: TypeAlias = NewRun | Single | Rows | Aside


def problems_of(entry: Entry, reason: str) -> list[Problem]:
    """Return the documents of an entry as problems: they cannot be stored where they belong."""
    match entry:
        case Aside(problem):
            return [problem]
        case NewRun(run, start):
            named = [("start", run, start)]
        case Single(_, kind, uid, _, document):
            named = [(kind, uid, document)]
        case Rows():
            named = [(entry.kind.name, row[entry.kind.uid], row) for row in entry.documents()]
    return [
        Problem("unstorable", name, uid, entry.run, reason, document)
        for name, uid, document in named
    ]


class Ledger(Protocol):
    """What an inbox needs to know of a store, and where its entries go."""

    def append(self, entry: Entry) -> None:
        """Take an entry, in order of arrival."""
        ...

    def start_of(self, run: str) -> JSONDocument | None:
        """Return the Run Start of a Run, None if there is no such Run."""
        ...

    def run_of(self, kind: str, uid: str) -> str | None:
        """Return the Run that holds the newest document of this kind and uid."""
        ...

    def singles_of(self, run: str) -> Iterable[tuple[str, str, JSONDocument]]:
        """Return kind, uid and content of each document of a Run that is kept by itself."""
        ...

    def rows_of(self, run: str, kind: RowKind, parent: str) -> Iterable[JSONDocument]:
        """Return the documents of one parent that are kept in columns."""
        ...

    def claim(self, parent: str) -> list[tuple[str, JSONDocument]]:
        """Take away and return the orphans that wait for this parent, in order of arrival."""
        ...


Digest: TypeAlias = bytes


@dataclass(slots=True)
class OpenRun:
    """What an inbox remembers of a Run.

    Parameters
    ----------
    uid : str
        Of the Run.
    stored : bool
        The store had the Run before this inbox: rows are compared with what is stored.
    singles : dict
        The documents that are kept by themselves: digests by kind and uid.
    rows : dict
        Where rows are compared: digests by parent and uid.
    conflicts : set
        Digests of the documents that were kept aside.
    stopped : bool
        A Run Stop came.
    """

    uid: str
    stored: bool
    singles: dict[tuple[str, str], Digest] = field(default_factory=dict)
    rows: dict[tuple[str, str], dict[str, Digest]] = field(default_factory=dict)
    conflicts: set[Digest] = field(default_factory=set)
    stopped: bool = False


class Inbox:
    """Sorts incoming documents into entries of a ledger.

    Parameters
    ----------
    ledger : Ledger
        The store.
    """

    REMEMBERED = 50
    """How many stopped Runs are kept in mind for late documents."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._lock = threading.RLock()
        self._runs: dict[str, OpenRun] = {}
        self._run_of: dict[tuple[str, str], str] = {}

    def insert(self, name: str, doc: Mapping[str, Any], on_conflict: str) -> None:
        """Take one document of any kind; see `databroker.stores.protocol.Writes.insert`."""
        _check(name, doc)
        with self._lock:
            match name:
                case "event":
                    self._insert_row(EVENT, own_row(doc, EVENT), on_conflict)
                case "event_page" | "datum_page":
                    self._insert_page(PAGES[name], doc, on_conflict)
                case "bulk_events":
                    for event in _events_of_bulk(doc):
                        self.insert("event", event, on_conflict)
                case "bulk_datum":
                    for datum in _datums_of_bulk(doc):
                        self.insert("datum", datum, on_conflict)
                case "datum" | "stream_datum":
                    kind = ROW_KINDS[name]
                    self._insert_row(kind, own_row(doc, kind), on_conflict)
                case "start":
                    self._insert_start(unpack(pack(doc)), on_conflict)
                case _:
                    self._insert_single(name, unpack(pack(doc)), on_conflict)

    # Rows

    def _insert_row(self, kind: RowKind, row: JSONDocument, on_conflict: str) -> None:
        parent = row.get(kind.parent)
        run = self._run_of_parent(kind.name, row)
        if run is None or not isinstance(parent, str):
            self._set_aside_orphan(kind.name, row, on_conflict)
            return
        if run.stored and not self._is_new_row(run, kind, parent, row, on_conflict):
            return
        self._ledger.append(Rows(run.uid, kind, parent, row))

    def _insert_page(self, kind: RowKind, doc: Mapping[str, Any], on_conflict: str) -> None:
        table = table_of_page(doc, kind)
        parent = doc.get(kind.parent)
        run = self._run_of_parent(kind.name, doc)
        if not isinstance(parent, str):
            self._set_aside_orphan(f"{kind.name}_page", unpack(pack(doc)), on_conflict)
        elif run is None or run.stored:
            for row in documents_of(table, kind, parent):
                self._insert_row(kind, own_row(row, kind), on_conflict)
        elif table.count:
            self._ledger.append(Rows(run.uid, kind, parent, table))

    def _is_new_row(
        self, run: OpenRun, kind: RowKind, parent: str, row: JSONDocument, on_conflict: str
    ) -> bool:
        known = run.rows.get((kind.name, parent))
        if known is None:
            stored = self._ledger.rows_of(run.uid, kind, parent)
            known = {item[kind.uid]: digest_of(item) for item in stored}
            run.rows[kind.name, parent] = known
        return self._is_new(known, row[kind.uid], row, run, kind.name, on_conflict)

    # Documents that are kept by themselves

    def _insert_start(self, start: JSONDocument, on_conflict: str) -> None:
        uid = start["uid"]
        run = self._known_run(uid)
        if run is None:
            run = OpenRun(uid, stored=False, singles={("start", uid): digest_of(start)})
            self._remember(run)
            self._ledger.append(NewRun(uid, start))
            self._adopt(uid, run)
            return
        # Another sequence of documents of this Run begins: from here on, compare.
        run.stored, run.stopped = True, False
        self._is_new(run.singles, ("start", uid), start, run, "start", on_conflict)

    def _insert_single(self, name: str, doc: JSONDocument, on_conflict: str) -> None:
        run = self._run_of_parent(name, doc)
        if run is None:
            self._set_aside_orphan(name, doc, on_conflict)
            return
        run.stopped |= name == "stop"
        if name in ROW_PARENTS:
            self._run_of[name, str(doc.get("uid", ""))] = run.uid
        uid = str(doc.get("uid", ""))
        if not self._is_new_single(run, name, uid, doc, on_conflict):
            return
        stream = stream_of(doc) if name == "descriptor" else None
        if name == "descriptor" and "name" not in doc:
            warnings.warn(
                f"The Event Descriptor {uid} names no stream; it is taken for 'primary'.",
                MetadataWarning,
                stacklevel=4,
            )
        self._ledger.append(Single(run.uid, name, uid, stream, doc))
        if name in ROW_PARENTS:
            self._adopt(uid, run)

    def _is_new_single(
        self, run: OpenRun, name: str, uid: str, doc: JSONDocument, on_conflict: str
    ) -> bool:
        if uid:
            return self._is_new(run.singles, (name, uid), doc, run, name, on_conflict)
        # Documents without a uid are the same if they say the same; while a Run is recorded for
        # the first time, each of them counts.
        digest = digest_of(doc)
        known = run.singles.setdefault((name, digest.hex()), digest)
        return known is digest or not run.stored

    # Which Run

    def _run_of_parent(self, name: str, doc: Mapping[str, Any]) -> OpenRun | None:
        """Return the Run that a document belongs to, None if that is not known."""
        kind, parent = _parent_of(name, doc)
        if parent is not None:
            return self._run_with(kind, parent)
        if name in ROW_KINDS:
            return None
        going_on = [run for run in self._runs.values() if not run.stopped]
        return going_on[0] if len(going_on) == 1 else None

    def _run_with(self, kind: str, uid: str) -> OpenRun | None:
        if kind == "start":
            return self._known_run(uid)
        run = self._run_of.get((kind, uid))
        if run is None:
            run = self._ledger.run_of(kind, uid)
        return None if run is None else self._known_run(run)

    def _known_run(self, uid: str) -> OpenRun | None:
        run = self._runs.get(uid)
        if run is not None:
            return run
        start = self._ledger.start_of(uid)
        if start is None:
            return None
        run = OpenRun(uid, stored=True, singles={("start", uid): digest_of(start)})
        for kind, single, document in self._ledger.singles_of(uid):
            digest = digest_of(document)
            run.singles[kind, single or digest.hex()] = digest
            run.stopped |= kind == "stop"
            self._run_of.setdefault((kind, single), uid)
        self._remember(run)
        return run

    def _remember(self, run: OpenRun) -> None:
        self._runs[run.uid] = run
        stopped = [uid for uid, known in self._runs.items() if known.stopped and known is not run]
        for uid in stopped[: -self.REMEMBERED]:
            for kind, single in self._runs.pop(uid).singles:
                self._run_of.pop((kind, single), None)

    # New, known, or contradicting

    def _is_new(
        self,
        known: dict[Any, Digest],
        identity: Any,
        doc: JSONDocument,
        run: OpenRun,
        name: str,
        on_conflict: str,
    ) -> bool:
        """Tell whether a document is new, and remember it; set it aside if it contradicts."""
        digest = digest_of(doc)
        before = known.setdefault(identity, digest)
        if before is digest:
            return True
        if before != digest:
            self._set_aside_conflict(name, doc, run, on_conflict)
        return False

    def _set_aside_conflict(
        self, name: str, doc: JSONDocument, run: OpenRun, on_conflict: str
    ) -> None:
        uid = _uid_of(name, doc)
        reason = (
            f"The Run {run.uid} holds another {name} with the uid {uid}: the stored one stays, "
            "this one is kept aside."
        )
        if on_conflict == "raise":
            raise ConflictError(reason)
        digest = digest_of(doc)
        if digest not in run.conflicts:
            run.conflicts.add(digest)
            self._ledger.append(Aside(Problem("conflict", name, uid, run.uid, reason, doc), None))
            warnings.warn(f"{reason} See problems().", ConflictWarning, stacklevel=5)

    def _set_aside_orphan(self, name: str, doc: JSONDocument, on_conflict: str) -> None:
        kind, parent = _parent_of(name, doc)
        uid = _uid_of(name, doc)
        if parent is None:
            reason = f"The {name} {uid} does not say which Run it belongs to."
        else:
            reason = f"The {name} {uid} belongs to the {kind} {parent}, which did not come."
        if on_conflict == "raise" and parent is None:
            raise InvalidDocumentError(reason)
        run = parent if kind == "start" else None
        self._ledger.append(Aside(Problem("orphan", name, uid, run, reason, doc), parent))

    def _adopt(self, parent: str, run: OpenRun) -> None:
        """Insert the documents that came before their parent.

        Whoever inserted them has returned long ago: a conflict is not raised here. What comes
        after them may be the same documents again, and is compared.
        """
        for name, doc in self._ledger.claim(parent):
            run.stored = True
            self.insert(name, doc, "keep")


def _check(name: str, doc: Mapping[str, Any]) -> None:
    """Refuse what is no document."""
    if not isinstance(name, str):
        raise InvalidDocumentError(
            f"insert(name, doc) takes the kind of a document first, such as 'event'; got {name!r}."
        )
    if not isinstance(doc, Mapping):
        raise InvalidDocumentError(
            f"A document is a mapping; insert({name!r}, …) was given a {type(doc).__name__}: "
            f"{doc!r:.100}."
        )
    needed = "datum_id" if name == "datum" else "uid"
    if (name in PARENTS or name == "start") and not (
        isinstance(doc.get(needed), str) and doc[needed]
    ):
        raise InvalidDocumentError(
            f"insert({name!r}, …) needs a document with a text {needed!r}; this one has "
            f"{doc.get(needed)!r}, and the keys {list(doc)!r:.200}."
        )


def _parent_of(name: str, doc: Mapping[str, Any]) -> tuple[str, str | None]:
    """Return the kind and the uid of the document that gives this one its place."""
    if name not in PARENTS and "run_start" not in doc and "descriptor" in doc:
        item = kind = "descriptor"
    else:
        item, kind = PARENTS.get(name, ("run_start", "start"))
    parent = doc.get(item)
    return kind, parent if isinstance(parent, str) else None


def _uid_of(name: str, doc: Mapping[str, Any]) -> str:
    return str(doc.get("datum_id" if name == "datum" else "uid", ""))


def digest_of(doc: Mapping[str, Any]) -> Digest:
    """Return what is equal for documents that count as the same."""
    return blake2b(canonical(doc), digest_size=16).digest()


# Rows of our own: what the caller does to a document after `insert` must not reach the store.

IMMUTABLE: frozenset[type] = frozenset(
    {str, int, float, bool, type(None), bytes}
    | {kind for kind in np.sctypeDict.values() if not issubclass(kind, np.flexible | np.object_)}
)


def own_row(doc: Mapping[str, Any], kind: RowKind) -> JSONDocument:
    """Return a copy of a row that shares nothing mutable with it, in the form it is stored in."""
    row = dict(doc)
    for name, value in row.items():
        if type(value) in IMMUTABLE:
            continue
        if name in kind.groups and type(value) is dict:
            row[name] = _own_group(value)
        else:
            row[name] = unpack(pack(value))
    return row


def _own_group(group: dict[str, Any]) -> dict[str, Any]:
    if IMMUTABLE.issuperset(map(type, group.values())):
        return group.copy()
    return {key: _own_value(key, value) for key, value in group.items()}


def _own_value(key: str, value: Any) -> Any:
    if type(value) in IMMUTABLE:
        return value
    if type(value) is np.ndarray and not value.dtype.hasobject:
        return value.copy()
    return unpack(pack({key: value}))[key]  # a warning names the key


def _events_of_bulk(doc: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the Events of a bulk_events document: lists of Events by stream name."""
    for events in doc.values():
        if not isinstance(events, list | tuple):
            raise InvalidDocumentError(
                "bulk_events maps the names of streams to lists of Events; "
                f"this one holds {events!r:.100}."
            )
        yield from events


def _datums_of_bulk(doc: Mapping[str, Any]) -> Iterator[JSONDocument]:
    """Yield the Datums of a bulk_datum document: a list of ids, and one of keyword arguments."""
    ids, kwargs = doc.get("datum_ids"), doc.get("datum_kwarg_list")
    if not isinstance(ids, list | tuple) or not isinstance(kwargs, list | tuple):
        raise InvalidDocumentError(
            "bulk_datum needs the lists 'datum_ids' and 'datum_kwarg_list'; "
            f"this one has the keys {list(doc)!r:.200}."
        )
    if len(ids) != len(kwargs):
        raise InvalidDocumentError(
            f"bulk_datum has {len(ids)} datum_ids, but {len(kwargs)} datum_kwargs."
        )
    for datum_id, datum_kwargs in zip(ids, kwargs, strict=True):
        yield {
            "datum_id": datum_id,
            "resource": doc.get("resource"),
            "datum_kwargs": datum_kwargs,
        }
