"""The stores that are read: made once, and kept for as long as the same would be made again."""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import databroker
from benchmarks import floor, workload
from benchmarks.workload import Document, Named
from databroker.documents.pages import RowKind
from databroker.stores.inbox import Entry, Inbox
from databroker.stores.sqlite import SQLiteDatabase
from databroker.stores.writer import Writer

CACHE = "DATABROKER_BENCHMARK_STORES"
"""The environment variable that names the folder in which stores are kept."""

AT_A_TIME = 5000
"""How many documents a transaction of the bulk recorder holds."""

# The numbers of paths differ from process to process: they follow the hashes of texts.
TABLES = "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name != 'path'"
VALUES = "SELECT value, time, run FROM value ORDER BY 1, 3"


@dataclass(frozen=True, slots=True)
class Pair:
    """The same Runs twice: in a store of ours, and in the floor's files."""

    folder: Path

    @property
    def ours(self) -> str:
        return str(self.folder / "runs.db")

    def make(self, runs: Iterable[Iterable[Named]]) -> None:
        """Record Runs in both, as an experiment does: one document after the other."""
        self.folder.mkdir(parents=True)
        with databroker.open(self.ours) as catalog, floor.Recorder(self.folder) as recorder:
            for run in runs:
                for name, doc in run:
                    catalog.insert(name, doc)
                    recorder.insert(name, doc)

    def make_many(self, runs: Iterable[Iterable[Named]]) -> None:
        """Record many small Runs in both; those of the floor without their Events."""
        self.folder.mkdir(parents=True)
        database = SQLiteDatabase(Path(self.ours), None)
        bulk = Bulk(Writer(database))
        inbox = Inbox(bulk)
        with floor.Recorder(self.folder, columns=False) as recorder:
            for run in runs:
                for name, doc in run:
                    inbox.insert(name, doc, "keep")
                    recorder.insert(name, doc)
        bulk.store()
        database.rest()
        database.close()


@dataclass(slots=True)
class Bulk:
    """Takes the entries of an inbox, and writes many Runs in one transaction.

    The rows are those that the recorder writes for a Run that is shorter than its delay; only
    the transactions are larger, since nobody waits for a Run Start to be durable.
    """

    writer: Writer
    entries: list[Entry] = field(default_factory=list)

    def append(self, entry: Entry) -> None:
        self.entries.append(entry)
        if len(self.entries) >= AT_A_TIME and getattr(entry, "kind", None) == "stop":
            self.store()

    def store(self) -> None:
        """Write what is held."""
        entries, self.entries = self.entries, []
        self.writer.store(entries)

    # The store is new, and every Run comes once.

    def start_of(self, run: str) -> None:
        return None

    def run_of(self, kind: str, uid: str) -> None:
        return None

    def singles_of(self, run: str) -> Iterable[tuple[str, str, Document]]:
        return ()

    def rows_of(self, run: str, kind: RowKind, parent: str) -> Iterable[Document]:
        return ()

    def claim(self, parent: str) -> list[tuple[str, Document]]:
        return []


@dataclass(frozen=True)
class Shelf:
    """Stores by name, in a folder that outlives the tests.

    Parameters
    ----------
    folder
        Where stores are kept.
    scratch
        A folder that nobody needs afterwards.
    """

    folder: Path
    scratch: Path

    @cached_property
    def fingerprint(self) -> str:
        """A text that changes whenever the same documents would be stored as other bytes."""
        pair = Pair(self.scratch / "fingerprint")
        long = workload.scalar_run(3000, 1, page=1000)
        mixed = workload.run(workload.mixed(700, 2, 2), 2, page=700)
        pair.make_many([long, mixed, *map(workload.small_run, range(3, 9))])
        digest = hashlib.blake2b(digest_size=6)
        with SQLiteDatabase(Path(pair.ours), "read").reading() as session:
            for table, sql in session.execute(TABLES):
                content = f"SELECT * FROM {table}" if table != "value" else VALUES
                digest.update(repr((sql, session.execute(content))).encode())
        return digest.hexdigest()

    def pair(
        self, name: str, runs: Callable[[], Iterator[Iterable[Named]]], *, many: bool = False
    ) -> Pair:
        """Return the store of this name; it is made if it is not there, or not up to date."""
        folder = self.folder / f"{name}-{self.fingerprint}"
        if not folder.exists():
            for old in self.folder.glob(f"{name}-????????????"):
                shutil.rmtree(old)
            unfinished = Pair(self.folder / f"{name}.{os.getpid()}")
            shutil.rmtree(unfinished.folder, ignore_errors=True)
            (unfinished.make_many if many else unfinished.make)(runs())
            unfinished.folder.rename(folder)
        return Pair(folder)


def copied(pair: Pair, folder: Path) -> Pair:
    """Return a copy that may be written to."""
    shutil.copytree(pair.folder, folder)
    return Pair(folder)
