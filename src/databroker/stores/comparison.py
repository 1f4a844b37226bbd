"""Documents of a Run that another process records too: which of them are new."""

from collections.abc import Iterable, Iterator

from databroker.documents.packing import restored
from databroker.stores.inbox import Aside, Digest, Entry, NewRun, Rows, Single, digest_of
from databroker.stores.protocol import JSONDocument, Problem
from databroker.stores.schema import text_key, text_of
from databroker.stores.statements import Session
from databroker.stores.stored_rows import stored_documents


class Comparison:
    """What a Run holds, as long as nobody else writes to it.

    Parameters
    ----------
    session
        A view of the database.
    run
        The uid of the Run.
    """

    def __init__(self, session: Session, run: str) -> None:
        self._run = run
        self._rows: dict[tuple[str, str], dict[str, Digest]] = {}
        self._singles: dict[tuple[str, str], Digest] = {}
        start = session.one("start", uid=text_key(run))
        if start is not None:
            self._singles["start", run] = digest_of(restored(start[0]))
        for kind, uid, body in session.all("singles", uid=text_key(run)):
            digest = digest_of(restored(body))
            self._singles[text_of(kind), text_of(uid) or digest.hex()] = digest

    def unstored(
        self, session: Session, entries: Iterable[NewRun | Single | Rows]
    ) -> Iterator[Entry]:
        """Yield the entries that are new; those that contradict stored ones are set aside."""
        for entry in entries:
            match entry:
                case NewRun(run, start):
                    yield from self._judged(entry, "start", run, start)
                case Single(_, kind, uid, _, document):
                    yield from self._judged(entry, kind, uid, document)
                case Rows():
                    yield from self._unstored_rows(session, entry)

    def _judged(self, entry: Entry, kind: str, uid: str, document: JSONDocument) -> Iterator[Entry]:
        digest = digest_of(document)
        known = self._singles.setdefault((kind, uid or digest.hex()), digest)
        if known is digest:
            yield entry
        elif known != digest:
            yield self._conflict(kind, uid, document)

    def _unstored_rows(self, session: Session, entry: Rows) -> Iterator[Entry]:
        known = self._known_rows(session, entry)
        for row in entry.documents():
            digest = digest_of(row)
            uid = row[entry.kind.uid]
            before = known.setdefault(uid, digest)
            if before is digest:
                yield Rows(entry.run, entry.kind, entry.parent, row)
            elif before != digest:
                yield self._conflict(entry.kind.name, uid, row)

    def _known_rows(self, session: Session, entry: Rows) -> dict[str, Digest]:
        key = (entry.kind.name, entry.parent)
        if key not in self._rows:
            documents = stored_documents(session, self._run, entry.kind, entry.parent)
            self._rows[key] = {row[entry.kind.uid]: digest_of(row) for row in documents}
        return self._rows[key]

    def _conflict(self, kind: str, uid: str, document: JSONDocument) -> Aside:
        reason = (
            f"Another process has recorded another {kind} with the uid {uid} in the Run "
            f"{self._run}: the stored one stays, this one is kept aside."
        )
        return Aside(Problem("conflict", kind, uid, self._run, reason, document), None)
