"""The waist: what a store of Runs can do, whatever it is made of."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol, Self, TypeAlias, runtime_checkable

from databroker.documents.columns import Table
from databroker.search.nodes import Node

JSONDocument: TypeAlias = dict[str, Any]


class Order(Enum):
    """The order in which Runs are listed: by the time of the Run Start, ties by insertion."""

    NEWEST_FIRST = "newest first"
    OLDEST_FIRST = "oldest first"


@dataclass(frozen=True, slots=True)
class Problem:
    """A document that a store could not place, and keeps aside.

    Parameters
    ----------
    kind : {'conflict', 'orphan', 'unstorable'}
        *conflict*: the store holds another document with this identity.
        *orphan*: the document names a parent that never came.
        *unstorable*: the place where it belongs is damaged.
    name : str
        The kind of document, such as ``'descriptor'``.
    uid : str
        The uid of the document (the datum_id of a Datum).
    run : str or None
        The uid of the Run, where it is known.
    reason : str
        What is wrong, in a sentence.
    document : dict
        The document itself.
    """

    kind: str
    name: str
    uid: str
    run: str | None
    reason: str
    document: JSONDocument


@runtime_checkable
class RunStore(Protocol):
    """Where Runs are kept: every method is batched and names the Run.

    A method that is given the uid of a Run which is not there raises
    `databroker.errors.RunNotFoundError`.
    """

    @property
    def uri(self) -> str:
        """Where the Runs are, for reprs and messages: it carries no password."""
        ...

    def where(self, node: Node) -> Self:
        """Return the same store, showing only the Runs that the node matches."""
        ...

    def uids(
        self,
        order: Order = Order.NEWEST_FIRST,
        *,
        after: str | None = None,
        limit: int | None = None,
    ) -> list[str]:
        """Return the uids of Runs in this order, at most `limit`, those behind the Run `after`."""
        ...

    def count(self) -> int:
        """Return the number of Runs."""
        ...

    def find(self, key: str | int, limit: int) -> list[str]:
        """Return the uids of the Runs that a person may mean, newest first, at most `limit`.

        A text is a uid or the beginning of one; where a Run has exactly this uid, it alone is
        meant. An integer is a scan_id.
        """
        ...

    def run_starts(self, uids: Sequence[str]) -> list[JSONDocument]:
        """Return the Run Start of each Run, in the order of `uids`."""
        ...

    def run_stops(self, uids: Sequence[str]) -> list[JSONDocument | None]:
        """Return the last Run Stop of each Run, in the order of `uids`; None where none came."""
        ...

    def version(self, uid: str) -> int:
        """Return a number that is greater after each write to this Run."""
        ...

    def stream_names(self, uid: str) -> list[str]:
        """Return the names of the Run's streams, in the order of their first descriptors."""
        ...

    def descriptors(self, uid: str) -> list[JSONDocument]:
        """Return all Event Descriptors of the Run, in order of arrival."""
        ...

    def event_count(self, uid: str, descriptor: str) -> int:
        """Return the number of Events of one descriptor."""
        ...

    def columns(
        self,
        uid: str,
        descriptor: str,
        keys: Iterable[tuple[str, str]] | None = None,
        rows: slice = slice(None),
    ) -> Table:
        """Return columns of one descriptor's Events, in order of arrival.

        Parameters
        ----------
        uid, descriptor
            The uid of the Run and of one of its descriptors.
        keys
            Which columns: ``('data', key)``, ``('timestamps', key)``, ``('filled', key)``, or
            ``('', name)`` for an item of the Event itself such as ``('', 'time')``, and
            `databroker.documents.pages.ORDINAL`. A column that no Event has is left out.
            None means all.
        rows
            Which rows: a slice with a step of one.
        """
        ...

    def resources(self, uid: str) -> list[JSONDocument]:
        """Return all Resources of the Run, in order of arrival."""
        ...

    def datums(self, uid: str, resource: str) -> Table:
        """Return the Datums of one Resource: ``('', 'datum_id')`` and ``('datum_kwargs', …)``."""
        ...

    def resource_of(self, uid: str, datum_id: str) -> str | None:
        """Return the uid of the Resource that a Datum of this Run belongs to, None if unknown."""
        ...

    def stream_resources(self, uid: str) -> list[JSONDocument]:
        """Return all Stream Resources of the Run, in order of arrival."""
        ...

    def stream_datums(self, uid: str) -> list[JSONDocument]:
        """Return all Stream Datums of the Run, in order of arrival."""
        ...

    def other_documents(self, uid: str) -> list[tuple[int, str, JSONDocument]]:
        """Return ``(ordinal, name, document)`` of all that is none of the above.

        Documents of unknown kinds, and Run Stops that a later one superseded.
        """
        ...

    def close(self) -> None:
        """Store what is held, and let go of files and connections."""
        ...


@runtime_checkable
class Writes(Protocol):
    """A store that records documents."""

    def insert(self, name: str, doc: Mapping[str, Any], *, on_conflict: str = "keep") -> None:
        """Record one document.

        Parameters
        ----------
        name
            Its kind: ``'start'``, ``'event'``, ``'bulk_events'``, any other.
        doc
            The document. It may be changed after this call.
        on_conflict : {'keep', 'raise'}
            What to do with a document that contradicts a stored one: keep it aside and warn, or
            raise `databroker.errors.ConflictError`.
        """
        ...

    def flush(self) -> None:
        """Return when everything inserted so far is stored."""
        ...

    def problems(self) -> list[Problem]:
        """Return the documents that were kept aside, oldest first."""
        ...


@runtime_checkable
class Administers(Protocol):
    """A store that its owner looks after."""

    def backup(self, path: str) -> None:
        """Write a copy of the whole store, while it is in use."""
        ...

    def stats(self) -> dict[str, Any]:
        """Return counts and sizes: Runs, Events, bytes, the version of the format."""
        ...
