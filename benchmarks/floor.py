"""The floor: Arrow IPC files and plain SQLite, which know nothing of what documents mean.

Nothing that keeps the same values and gives labelled arrays back can be expected to be much
faster. Each Run is one Arrow file, in batches of 1000 rows; its Run Start, Run Stop and Event
Descriptor are JSON in one row of a SQLite table with the indexes that the look-ups need.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import xarray

BATCH = 1000
OWN = ("uid", "seq_num", "time")
"""The columns that every Event has; those of timestamps begin with ``ts_``."""

CREATE = """
PRAGMA journal_mode=WAL;
CREATE TABLE IF NOT EXISTS run (uid TEXT PRIMARY KEY, time REAL, scan_id INT, plan_name TEXT,
                                start TEXT, stop TEXT, descriptor TEXT);
CREATE INDEX IF NOT EXISTS run_time ON run(time);
CREATE INDEX IF NOT EXISTS run_scan ON run(scan_id);
CREATE INDEX IF NOT EXISTS run_plan ON run(plan_name, scan_id);
"""


class Recorder:
    """Records the documents of one Run after the other in a folder.

    Parameters
    ----------
    folder
        Where to; it must be there.
    columns
        Keep the Events too, not only the metadata.
    """

    def __init__(self, folder: Path, *, columns: bool = True) -> None:
        self._folder = folder
        self._keeps_columns = columns
        self._database = sqlite3.connect(folder / "meta.sqlite")
        self._database.executescript(CREATE)
        self._database.execute("PRAGMA synchronous=NORMAL")
        self._uid = ""
        self._columns: dict[str, list[Any]] = {}
        self._file: pa.ipc.RecordBatchFileWriter | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._database.commit()
        self._database.close()

    def insert(self, name: str, doc: Mapping[str, Any]) -> None:
        """Record one document."""
        match name:
            case "start":
                self._uid, self._columns, self._file = doc["uid"], {}, None
                row = (doc["uid"], doc["time"], doc["scan_id"], doc["plan_name"], json.dumps(doc))
                self._database.execute(
                    "INSERT OR REPLACE INTO run VALUES (?, ?, ?, ?, ?, NULL, NULL)", row
                )
            case "descriptor":
                self._update("descriptor", doc)
            case "event" if self._keeps_columns:
                self._append(doc)
            case "event_page" if self._keeps_columns:
                self._columns = {name: doc[name] for name in OWN} | doc["data"]
                self._columns |= {f"ts_{name}": v for name, v in doc["timestamps"].items()}
                self._write()
            case "stop":
                self._write()
                if self._file is not None:
                    self._file.close()
                self._update("stop", doc)
                self._database.commit()

    def _update(self, column: str, doc: Mapping[str, Any]) -> None:
        self._database.execute(
            f"UPDATE run SET {column}=? WHERE uid=?", (json.dumps(doc), self._uid)
        )

    def _append(self, event: Mapping[str, Any]) -> None:
        columns, data, timestamps = self._columns, event["data"], event["timestamps"]
        if not columns:
            columns.update({name: [] for name in (*OWN, *data)})
            columns.update({f"ts_{name}": [] for name in timestamps})
        for name in OWN:
            columns[name].append(event[name])
        for name, value in data.items():
            columns[name].append(value)
        for name, value in timestamps.items():
            columns[f"ts_{name}"].append(value)
        if len(columns["uid"]) >= BATCH:
            self._write()

    def _write(self) -> None:
        if self._columns:
            batch = pa.RecordBatch.from_pydict(self._columns)
            path = str(self._folder / f"{self._uid}.arrow")
            self._file = self._file or pa.ipc.new_file(path, batch.schema)
            self._file.write_batch(batch)
            self._columns = {}


class Catalog:
    """Reads what a `Recorder` wrote.

    Parameters
    ----------
    folder
        Where it is.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._database = sqlite3.connect(folder / "meta.sqlite")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._database.close()

    # Look-up

    def start(self, key: str | int) -> dict[str, Any]:
        """Return the Run Start of the Run with this uid, partial uid, scan_id or -1."""
        if key == -1:
            return self.newest(1)[0]
        if isinstance(key, int):
            return self._starts("WHERE scan_id=? ORDER BY time DESC LIMIT 1", (key,))[0]
        return self._starts("WHERE uid>=? AND uid<?", (key, key + "~"))[0]

    def newest(self, count: int) -> list[dict[str, Any]]:
        """Return the newest Run Starts."""
        return self._starts("ORDER BY time DESC LIMIT ?", (count,))

    def _starts(self, clause: str, parameters: Sequence[Any]) -> list[dict[str, Any]]:
        rows = self._database.execute(f"SELECT start FROM run {clause}", parameters)
        return [json.loads(start) for (start,) in rows]

    # Data

    def read(self, uid: str, keys: Sequence[str] | None = None) -> xarray.Dataset:
        """Return the readings as labelled arrays."""
        table = self._table(uid)
        names = keys or [
            name for name in table.column_names if name not in OWN and not name.startswith("ts_")
        ]
        return xarray.Dataset(
            {name: ("time", table[name].to_numpy()) for name in names},
            coords={"time": table["time"].to_numpy()},
        )

    def documents(self, uid: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the documents of the Run, an Event for each row."""
        found = self._database.execute(
            "SELECT start, descriptor, stop FROM run WHERE uid=?", (uid,)
        ).fetchone()
        start, descriptor, stop = map(json.loads, found)
        yield "start", start
        yield "descriptor", descriptor
        columns = self._table(uid).to_pydict()
        keys = list(descriptor["data_keys"])
        data = zip(*(columns[key] for key in keys), strict=True)
        timestamps = zip(*(columns[f"ts_{key}"] for key in keys), strict=True)
        own = (columns[name] for name in OWN)
        for event, seq_num, time, values, stamps in zip(*own, data, timestamps, strict=True):
            yield (
                "event",
                {
                    "descriptor": descriptor["uid"],
                    "uid": event,
                    "seq_num": seq_num,
                    "time": time,
                    "data": dict(zip(keys, values, strict=True)),
                    "timestamps": dict(zip(keys, stamps, strict=True)),
                    "filled": {},
                },
            )
        yield "stop", stop

    def _table(self, uid: str) -> pa.Table:
        return pa.ipc.open_file(pa.memory_map(str(self._folder / f"{uid}.arrow"))).read_all()
