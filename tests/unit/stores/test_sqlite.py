"""One SQLite file: who may read it, who may write it, and what survives whom."""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest

import databroker
from databroker.errors import (
    DatabrokerWarning,
    InvalidSettingError,
    InvalidStoreError,
    ReadOnlyStoreError,
    RecordingError,
    StoreClosedError,
    StoreVersionError,
)
from databroker.stores import writer
from databroker.stores.schema import FORMAT
from databroker.stores.sqlite import SQLiteStore, sqlite
from databroker.stores.statements import Session
from databroker.stores.writer import LONG_TAIL, PAGE_ROWS, WINDOW, Stretch, folds
from databroker.testing.comparison import assert_identical
from databroker.testing.documents import (
    Run,
    RunBuilder,
    baseline_run,
    bulk,
    grid_run,
    numpy_paged,
    several_descriptors_run,
    simple_run,
)
from databroker.testing.stores import assert_holds, events_by_descriptor, given_back, record

PREAMBLE = """
import os, signal, sys, time, warnings
from databroker.stores.sqlite import SQLiteStore
from databroker.testing.documents import *
from databroker.testing.stores import given_back

def say(*words):
    print(*words, flush=True)

def drop_privileges():
    if os.geteuid() == 0:
        os.setgid(65534)
        os.setuid(65534)

path = sys.argv[1]
"""


# -- helpers ---------------------------------------------------------------------------------------


def started(code: str, path: Path, *arguments: object) -> subprocess.Popen[str]:
    """Start another process that runs this code."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", PREAMBLE + code, str(path), *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(process: subprocess.Popen[str], timeout: float = 60) -> list[str]:
    """Return what a process printed, after it ended well."""
    out, err = process.communicate(timeout=timeout)
    assert process.returncode == 0, err
    return out.splitlines()


def in_other_process(code: str, path: Path, *arguments: object) -> list[str]:
    """Run code in another process; return what it printed."""
    return finished(started(code, path, *arguments))


def pipe(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream


def killed(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def until(condition: Callable[[], Any], seconds: float = 10.0) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "It did not happen in time."
        time.sleep(0.005)


def count_rows(path: Path, table: str) -> int:
    return raw(path, f"SELECT count(*) FROM {table}")[0][0]


def raw(path: Path, statement: str) -> list[tuple[Any, ...]]:
    with contextlib.closing(sqlite.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return connection.execute(statement).fetchall()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


@pytest.fixture
def open_store() -> Iterator[Callable[..., SQLiteStore]]:
    """Opens stores that are closed behind the test."""
    with contextlib.ExitStack() as stack:

        def opened(path: Path, mode: Any = None) -> SQLiteStore:
            store = SQLiteStore(path, mode)
            stack.callback(store.close)
            return store

        yield opened


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that every user can enter, which that of pytest is not."""
    folder = Path(tempfile.mkdtemp(prefix="databroker-test-"))
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


def closed_store(path: Path, run: Run) -> None:
    """Leave a store that holds a Run and was closed."""
    with contextlib.closing(SQLiteStore(path)) as store:
        record(store, run)
    assert not path.with_name(f"{path.name}-wal").exists()


# -- what cannot be written is read ----------------------------------------------------------------

READ = """
drop_privileges()
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    store = SQLiteStore(path)
say([f"{each.category.__name__}: {each.message}" for each in caught])
for uid in store.uids():
    say(len(given_back(store, uid)))
try:
    store.insert("start", {"uid": "new", "time": 0.0})
except Exception as error:
    say(f"{type(error).__name__}: {error}")
store.close()
"""


def assert_read(folder: Path, run: Run) -> list[str]:
    """Assert that another user reads the Run, and can record nothing; return the warnings."""
    warned, count, error = in_other_process(READ, folder / "runs.db")
    assert count == f"{len(run)}"
    assert error.startswith("ReadOnlyStoreError: ")
    assert str(folder / "runs.db") in error
    return eval(warned)


def test_a_file_that_is_read_only_is_read(public_folder: Path) -> None:
    path, run = public_folder / "runs.db", simple_run(20)
    closed_store(path, run)
    path.chmod(0o444)
    public_folder.chmod(0o777)
    assert assert_read(public_folder, run) == []
    path.chmod(0o644)
    with contextlib.closing(SQLiteStore(path)) as store:
        record(store, simple_run(2, seed="after"))
        assert store.count() == 2


def test_a_closed_store_in_a_folder_that_is_read_only_is_read(public_folder: Path) -> None:
    run = simple_run(20)
    closed_store(public_folder / "runs.db", run)
    public_folder.chmod(0o555)
    assert assert_read(public_folder, run) == []
    assert [entry.name for entry in public_folder.iterdir()] == ["runs.db"]


def test_a_store_with_an_empty_log_in_a_folder_that_is_read_only_is_read(
    public_folder: Path,
) -> None:
    run = simple_run(20)
    closed_store(public_folder / "runs.db", run)
    (public_folder / "runs.db-wal").touch()
    public_folder.chmod(0o555)
    assert assert_read(public_folder, run) == []


DIE_WITH_A_LOG = """
store = SQLiteStore(path)
for name, doc in simple_run(20):
    store.insert(name, doc)
store.flush()
os.kill(os.getpid(), signal.SIGKILL)
"""


def leave_log(path: Path) -> None:
    """Leave a store whose writer was killed, with documents in the log only."""
    process = started(DIE_WITH_A_LOG, path)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert path.with_name(f"{path.name}-wal").stat().st_size > 0


def test_a_store_with_a_log_in_a_folder_that_is_read_only_is_copied(public_folder: Path) -> None:
    leave_log(public_folder / "runs.db")
    (public_folder / "runs.db-shm").unlink()
    before = {entry.name: entry.read_bytes() for entry in public_folder.iterdir()}
    public_folder.chmod(0o555)
    (warned,) = assert_read(public_folder, simple_run(20))
    assert warned.startswith("DatabrokerWarning: ")
    assert str(public_folder / "runs.db") in warned
    assert "copy" in warned
    assert {entry.name: entry.read_bytes() for entry in public_folder.iterdir()} == before


def test_a_store_whose_writer_was_killed_is_read_by_others(public_folder: Path) -> None:
    leave_log(public_folder / "runs.db")
    public_folder.chmod(0o555)
    assert_read(public_folder, simple_run(20))


FOLLOW = """
drop_privileges()
store = SQLiteStore(path)
say("ready")
for line in sys.stdin:
    say(store.count(), sum(len(given_back(store, uid)) for uid in store.uids()))
"""


def asked(process: subprocess.Popen[str]) -> str:
    """Let a process look again; return what it says."""
    pipe(process.stdin).write("\n")
    pipe(process.stdin).flush()
    line = pipe(process.stdout).readline().strip()
    return line or pipe(process.stderr).read()


def test_a_store_that_grows_in_a_folder_that_is_read_only_is_seen_to_grow(
    public_folder: Path,
) -> None:
    path, one, other = public_folder / "runs.db", simple_run(5), simple_run(700, seed="other")
    closed_store(path, one)
    public_folder.chmod(0o555)
    process = started(FOLLOW, path)
    assert pipe(process.stdout).readline() == "ready\n"
    assert asked(process) == f"1 {len(one)}"
    public_folder.chmod(0o755)
    closed_store(path, other)
    public_folder.chmod(0o555)
    assert asked(process) == f"2 {len(one) + len(other)}"
    assert asked(process) == f"2 {len(one) + len(other)}"
    assert finished(process) == []


def test_a_store_that_is_replaced_in_a_folder_that_is_read_only_is_seen_anew(
    public_folder: Path, tmp_path: Path
) -> None:
    path, one, other = public_folder / "runs.db", simple_run(5), simple_run(9, seed="other")
    closed_store(path, one)
    closed_store(tmp_path / "new.db", other)
    public_folder.chmod(0o555)
    process = started(FOLLOW, path)
    assert pipe(process.stdout).readline() == "ready\n"
    assert asked(process) == f"1 {len(one)}"
    public_folder.chmod(0o755)
    shutil.copy(tmp_path / "new.db", public_folder / "new.db")
    os.replace(public_folder / "new.db", path)
    public_folder.chmod(0o555)
    assert asked(process) == f"1 {len(other)}"
    assert finished(process) == []


def test_a_store_that_another_user_records_in_is_read_while_it_grows(public_folder: Path) -> None:
    path, run = public_folder / "runs.db", simple_run(6)
    with contextlib.closing(SQLiteStore(path)) as store:
        record(store, run[:3])
        if os.geteuid() != 0:  # our own other process may write where we may
            path.chmod(0o444)
        process = started(FOLLOW, path)
        assert pipe(process.stdout).readline() == "ready\n"
        assert asked(process) == "1 3"
        record(store, run[3:])
        assert asked(process) == f"1 {len(run)}"
        assert finished(process) == []
        path.chmod(0o644)


def test_reading_leaves_the_file_as_it_is(path: Path, open_store: Any) -> None:
    closed_store(path, simple_run(3))
    before = path.read_bytes()
    store = open_store(path, "read")
    assert_holds(store, simple_run(3))
    with pytest.raises(ReadOnlyStoreError, match=r"runs\.db"):
        store.insert("start", {"uid": "new", "time": 0.0})
    store.flush()
    store.close()
    assert path.read_bytes() == before


# -- bad input -------------------------------------------------------------------------------------


def test_a_folder_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(InvalidStoreError, match=r"is a folder; a store is a file, such as .*runs"):
        SQLiteStore(tmp_path)


@pytest.mark.parametrize("mode", ["write", "read", None])
@pytest.mark.parametrize("content", [b"uid: 1\n" * 100, b"x", b"SQLite format 3\0" * 300])
def test_a_file_that_is_no_sqlite_file_is_no_store(path: Path, content: bytes, mode: Any) -> None:
    path.write_bytes(content)
    with pytest.raises(InvalidStoreError, match=r"runs\.db") as caught:
        SQLiteStore(path, mode)
    assert "store" in str(caught.value)
    assert path.read_bytes() == content


@pytest.mark.parametrize("mode", ["write", "read", None])
def test_a_sqlite_file_of_somebody_else_is_no_store(path: Path, mode: Any) -> None:
    with contextlib.closing(sqlite.connect(path)) as connection:
        connection.execute("CREATE TABLE meta (key TEXT, value INTEGER)")
    before = path.read_bytes()
    with pytest.raises(InvalidStoreError, match=r"runs\.db .*not a store .*choose another path"):
        SQLiteStore(path, mode)
    assert path.read_bytes() == before


def raise_version(path: Path, *keys: str) -> None:
    with contextlib.closing(sqlite.connect(path)) as connection:
        for key in keys:
            connection.execute("UPDATE meta SET value = ? WHERE key = ?", (FORMAT + 1, key))
        connection.commit()


@pytest.mark.parametrize("mode", ["write", "read", None])
def test_a_store_of_a_newer_version_is_refused(path: Path, mode: Any) -> None:
    closed_store(path, simple_run(2))
    raise_version(path, "format", "min_reader", "min_writer")
    with pytest.raises(StoreVersionError, match=r"runs\.db .*Upgrade databroker"):
        SQLiteStore(path, mode)


def test_a_store_that_only_newer_versions_write_is_read(path: Path, open_store: Any) -> None:
    closed_store(path, simple_run(2))
    raise_version(path, "format", "min_writer")
    store = open_store(path, "read")
    assert_holds(store, simple_run(2))


def test_a_store_that_only_newer_versions_write_is_not_written(path: Path) -> None:
    closed_store(path, simple_run(2))
    raise_version(path, "format", "min_writer")
    before = path.read_bytes()
    with pytest.raises((StoreVersionError, RecordingError), match="Upgrade databroker"):
        insert_and_close(path)
    assert path.read_bytes() == before


def insert_and_close(path: Path) -> None:
    with contextlib.closing(SQLiteStore(path)) as store:
        store.insert("start", {"uid": "new", "time": 0.0})


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidStoreError, match=r"no folder .*missing; make it first"):
        SQLiteStore(tmp_path / "missing" / "runs.db")


def test_a_missing_file_is_not_made_where_it_is_only_read(path: Path) -> None:
    with pytest.raises(InvalidStoreError, match=r"There is no store .*runs\.db"):
        SQLiteStore(path, "read")
    assert not path.exists()


def test_an_empty_file_becomes_a_store_where_it_may_be_written(path: Path, open_store: Any) -> None:
    path.touch()
    store = open_store(path)
    record(store, simple_run(2))
    assert_holds(store, simple_run(2))


def test_an_empty_file_is_not_touched_where_it_is_only_read(path: Path) -> None:
    path.touch()
    with pytest.raises(InvalidStoreError, match=r"runs\.db"):
        SQLiteStore(path, "read").close()
    assert path.stat().st_size == 0


def test_an_unknown_mode_is_refused(path: Path) -> None:
    with pytest.raises(InvalidSettingError, match="'write', 'read' or None, not 'w'"):
        SQLiteStore(path, "w")  # type: ignore[arg-type]
    assert not path.exists()


OPEN = """
drop_privileges()
for mode in ("write", "read", None):
    try:
        SQLiteStore(path, mode).close()
    except Exception as error:
        say(f"{type(error).__name__}: {error}")
    else:
        say("opened")
"""


def test_a_folder_that_cannot_be_written_is_named(public_folder: Path) -> None:
    public_folder.chmod(0o555)
    write, read, either = in_other_process(OPEN, public_folder / "runs.db")
    for said in (write, either):
        assert said.startswith("InvalidStoreError: There is no store ")
        assert f"the folder {public_folder} cannot be written" in said
    assert read.startswith("InvalidStoreError: There is no store ")


def test_a_file_that_cannot_be_read_is_named(public_folder: Path) -> None:
    path = public_folder / "runs.db"
    closed_store(path, simple_run(2))
    path.chmod(0o000)
    for said in in_other_process(OPEN, path):
        assert said.startswith(("InvalidStoreError: ", "ReadOnlyStoreError: "))
        assert str(path) in said


def test_an_empty_file_that_cannot_be_written_is_named(public_folder: Path) -> None:
    path = public_folder / "runs.db"
    path.touch()
    path.chmod(0o444)
    for said in in_other_process(OPEN, path):
        assert said.startswith(("InvalidStoreError: ", "ReadOnlyStoreError: "))
        assert str(path) in said


def test_a_store_that_is_only_read_is_refused_for_writing(public_folder: Path) -> None:
    path = public_folder / "runs.db"
    closed_store(path, simple_run(2))
    path.chmod(0o444)
    write, read, either = in_other_process(OPEN, path)
    assert write.startswith(f"ReadOnlyStoreError: {path} cannot be opened for recording")
    assert (read, either) == ("opened", "opened")


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.99])
@pytest.mark.parametrize("mode", ["read", None])
def test_a_file_that_is_cut_short_says_so(path: Path, share: float, mode: Any) -> None:
    run = simple_run(3000)
    closed_store(path, numpy_paged(run, 3000))
    size = path.stat().st_size
    os.truncate(path, int(size * share))
    with pytest.raises(databroker.errors.DatabrokerError, match=r"runs\.db"):
        read_all(path, mode)


def read_all(path: Path, mode: Any) -> None:
    with contextlib.closing(SQLiteStore(path, mode)) as store:
        for uid in store.uids():
            given_back(store, uid)


def test_a_file_that_is_deleted_while_it_is_read_says_so(path: Path, open_store: Any) -> None:
    closed_store(path, simple_run(2))
    store = open_store(path, "read")
    while store._file._idle:
        store._file._idle.pop().close()
    path.unlink()
    with pytest.raises(InvalidStoreError, match=r"runs\.db"):
        store.uids()


def test_a_damaged_page_names_its_run_and_its_descriptor(path: Path, open_store: Any) -> None:
    run = simple_run(10)
    closed_store(path, run)
    with contextlib.closing(sqlite.connect(path)) as connection:
        connection.execute("UPDATE page SET body = zeroblob(length(body))")
        connection.commit()
    store = open_store(path)
    uid, descriptor = run[0][1]["uid"], run[1][1]["uid"]
    with pytest.raises(databroker.errors.CorruptDataError, match=f"{uid}.*{descriptor}.*damaged"):
        store.columns(uid, descriptor)
    assert_identical(run[-1][1], store.run_stops([uid])[0])


@pytest.mark.parametrize(
    "use",
    [
        lambda store: store.uids(),
        lambda store: store.count(),
        lambda store: store.stats(),
        lambda store: store.problems(),
        lambda store: store.insert("start", {"uid": "a", "time": 0.0}),
        lambda store: store.backup(f"{store.uri}.copy"),
    ],
)
def test_a_closed_store_is_named(path: Path, use: Callable[[SQLiteStore], object]) -> None:
    store = SQLiteStore(path)
    store.close()
    store.close()
    with pytest.raises(StoreClosedError, match=r"runs\.db"):
        use(store)


# -- several processes -----------------------------------------------------------------------------

RECORD = """
store = SQLiteStore(path)
for number in range(int(sys.argv[3])):
    for name, doc in simple_run(60, seed=f"{sys.argv[2]} {number}"):
        store.insert(name, doc)
        if name == "event":
            time.sleep(0.0005)
store.close()
"""


def test_processes_record_and_read_at_once(path: Path, open_store: Any) -> None:
    writers = [started(RECORD, path, name, 4) for name in ("one", "other")]
    store, seen = open_store(path), 0
    while any(writer.poll() is None for writer in writers):
        total = 0
        for uid in store.uids():
            for descriptor in store.descriptors(uid):
                table = store.columns(uid, descriptor["uid"], [("data", "detector")])
                if table.count:
                    total += table.count
                    values = table.columns["data", "detector"].to_pylist()
                    assert values == [index**3 for index in range(table.count)]
        assert total >= seen
        seen = total
    for process in writers:
        assert finished(process) == []
    for name in ("one", "other"):
        for number in range(4):
            assert_holds(store, simple_run(60, seed=f"{name} {number}"))
    assert store.count() == 8


SAME_RUN = """
store = SQLiteStore(path)
say("ready")
sys.stdin.readline()
for number in range(5):
    for name, doc in simple_run(20, seed=f"same {number}"):
        store.insert(name, doc)
store.close()
"""


def test_two_processes_may_insert_the_same_runs(path: Path, open_store: Any) -> None:
    processes = [started(SAME_RUN, path) for _ in range(2)]
    for process in processes:
        assert pipe(process.stdout).readline() == "ready\n"
    for process in processes:
        pipe(process.stdin).write("go\n")
        pipe(process.stdin).flush()
    try:
        for process in processes:
            assert finished(process, timeout=30) == []
    finally:
        for process in processes:
            killed(process)
    store = open_store(path)
    assert store.count() == 5
    for number in range(5):
        assert_holds(store, simple_run(20, seed=f"same {number}"))


def test_two_stores_may_start_the_same_run(path: Path, open_store: Any) -> None:
    """Both look for the Run before either has stored it."""
    run = simple_run(3)
    one, other = open_store(path), open_store(path)
    other._recorder.start_of = lambda uid: None
    record(one, run[:1])
    try:
        record(other, run[:1])
    finally:
        del other._recorder.start_of
    record(one, run[1:])
    assert_holds(one, run)


# -- sudden ends -----------------------------------------------------------------------------------

RECORD_AND_TELL = """
store = SQLiteStore(path)
for number in range(1000):
    for name, doc in simple_run(150, seed=f"killed {number}"):
        store.insert(name, doc)
        say(name, number, time.time())
        time.sleep(0.003)
"""


@pytest.mark.parametrize("seed", range(3))
def test_what_was_acknowledged_survives_a_kill(path: Path, open_store: Any, seed: int) -> None:
    moment = random.Random(seed).uniform(1.2, 2.4)
    process = started(RECORD_AND_TELL, path)
    told = [pipe(process.stdout).readline()]
    timer = threading.Timer(moment, process.kill)
    timer.start()
    told += pipe(process.stdout).readlines()
    process.communicate()
    end = time.time()
    told = [line.split() for line in told if line.endswith("\n")]
    assert process.returncode == -signal.SIGKILL

    before = time.monotonic()
    store = open_store(path)
    found = {uid: given_back(store, uid) for uid in store.uids()}
    assert time.monotonic() - before < 2.0

    expected: Counter[tuple[str, str]] = Counter()
    for name, number, at in told:
        if name != "event" or float(at) < end - 1.0:
            expected[name, number] += 1
    for (name, number), count in expected.items():
        run = simple_run(150, seed=f"killed {number}")
        inserted = [doc for kind, doc in run if kind == name]
        stored = [doc for kind, doc in found[run[0][1]["uid"]] if kind == name]
        assert count <= len(stored) <= len(inserted)
        assert_identical(inserted[: len(stored)], stored)
    assert expected["event", "0"] > 0


def test_a_recorder_goes_on_in_a_store_whose_writer_was_killed(path: Path, open_store: Any) -> None:
    leave_log(path)
    store = open_store(path)
    run = simple_run(20)
    record(store, run)
    assert_holds(store, run)


ENDS = {
    "falls off the end": "",
    "exits": "sys.exit(0)",
    "raises": "try:\n    raise KeyError\nfinally:\n    sys.stderr.close()",
    "drops the store": "del store",
}


@pytest.mark.parametrize("end", ENDS)
def test_leaving_without_close_loses_nothing(path: Path, open_store: Any, end: str) -> None:
    insert = (
        "store = SQLiteStore(path)\nfor item in simple_run(50)[:-1]:\n    store.insert(*item)\n"
    )
    process = started(insert + ENDS[end], path)
    process.communicate(timeout=60)
    assert_holds(open_store(path), simple_run(50)[:-1])


FORK = """
store = SQLiteStore(path)
parent, child = simple_run(30, seed="parent"), simple_run(30, seed="child")
for item in parent[:20]:
    store.insert(*item)
warnings.simplefilter("ignore", DeprecationWarning)  # of forking a process with threads
process = os.fork()
if process == 0:
    signal.alarm(30)
    assert store.count() == 1
    for item in child:
        store.insert(*item)
    assert len(given_back(store, child[0][1]["uid"])) == len(child)
    store.close()
    os._exit(0)
for item in parent[20:]:
    store.insert(*item)
assert os.waitpid(process, 0)[1] == 0
assert store.count() == 2
store.close()
"""


def test_a_forked_child_reads_and_writes(path: Path, open_store: Any) -> None:
    assert in_other_process(FORK, path) == []
    store = open_store(path)
    for seed in ("parent", "child"):
        assert_holds(store, simple_run(30, seed=seed))
    assert raw(path, "PRAGMA integrity_check") == [("ok",)]


# -- a database that refuses -----------------------------------------------------------------------


@contextlib.contextmanager
def refusing(store: SQLiteStore) -> Iterator[None]:
    """Let every write fail."""

    @contextlib.contextmanager
    def refuse(durable: bool) -> Iterator[Session]:
        raise sqlite.OperationalError("database or disk is full")
        yield

    store._file.writing = refuse  # type: ignore[method-assign]
    try:
        yield
    finally:
        del store._file.writing


def test_nothing_is_lost_while_the_database_refuses(path: Path, open_store: Any) -> None:
    store, run = open_store(path), simple_run(6)
    record(store, run[:3])
    errors: list[str] = []
    with refusing(store):
        for name, doc in run[3:]:
            try:
                store.insert(name, doc)
            except RecordingError as error:
                errors.append(str(error))
            time.sleep(0.06)
    assert errors
    assert all(str(path) in error for error in errors)
    store.flush()
    assert_holds(store, run)


def test_a_store_closes_though_the_database_refuses(path: Path) -> None:
    store, run = SQLiteStore(path), simple_run(6)
    record(store, run[:3])
    errors: list[Exception] = []

    def close() -> None:
        try:
            store.close()
        except RecordingError as error:
            errors.append(error)

    with refusing(store):
        store.insert(*run[3])
        closing = threading.Thread(target=close, daemon=True)
        closing.start()
        closing.join(5.0)
        ended = not closing.is_alive()
    closing.join(5.0)
    assert ended
    assert "runs.db" in str(errors[0])


# -- live ------------------------------------------------------------------------------------------

WATCH = """
store = SQLiteStore(path, "read")
uid, descriptor = sys.argv[2:4]
say("ready")
for wanted in map(int, sys.stdin):
    while store.event_count(uid, descriptor) < wanted:
        time.sleep(0.005)
    say(wanted)
"""


def test_events_show_in_another_process_without_further_inserts(
    path: Path, open_store: Any
) -> None:
    store, run = open_store(path), simple_run(4)
    record(store, run[:2])
    process = started(WATCH, path, run[0][1]["uid"], run[1][1]["uid"])
    assert pipe(process.stdout).readline() == "ready\n"
    for number, (name, doc) in enumerate(run[2:-1], 1):
        pipe(process.stdin).write(f"{number}\n")
        pipe(process.stdin).flush()
        before = time.monotonic()
        store.insert(name, doc)
        assert pipe(process.stdout).readline() == f"{number}\n"
        assert time.monotonic() - before < 0.5
    assert finished(process) == []


def test_a_handle_sees_at_once_what_it_inserted(path: Path, open_store: Any) -> None:
    store, run = open_store(path), simple_run(5)
    for number, (name, doc) in enumerate(run, 1):
        store.insert(name, doc)
        assert len(given_back(store, run[0][1]["uid"])) == number


# -- pages -----------------------------------------------------------------------------------------


def test_small_windows_become_a_page_when_the_run_stops(path: Path, open_store: Any) -> None:
    store, run = open_store(path), grid_run((10, 10))
    for item in run[:-1]:
        store.insert(*item)
        store.flush()
    assert count_rows(path, "tail") > 50
    assert_holds(store, run[:-1])
    store.insert(*run[-1])
    until(lambda: count_rows(path, "tail") == 0)
    assert sorted(raw(path, "SELECT first, count FROM page")) == [(0, 2), (0, 100)]
    assert_holds(store, run)


def test_small_pages_of_a_finished_run_become_one(path: Path, open_store: Any) -> None:
    store, run = open_store(path), simple_run(3 * WINDOW + 5)
    for item in numpy_paged(run, WINDOW):
        store.insert(*item)
        store.flush()
    until(lambda: count_rows(path, "tail") == 0 and count_rows(path, "page") == 1)
    assert_holds(store, run)


def test_a_long_tail_becomes_a_page_while_the_run_goes_on(path: Path, open_store: Any) -> None:
    store, run = open_store(path), simple_run(LONG_TAIL + 10, stop=False)
    for item in numpy_paged(run, WINDOW - 1):
        store.insert(*item)
        store.flush()
    until(lambda: count_rows(path, "page") == 1)
    assert_holds(store, run)


def test_a_large_window_is_a_page_at_once(path: Path, open_store: Any) -> None:
    store, run = open_store(path), simple_run(WINDOW, stop=False)
    record(store, numpy_paged(run, WINDOW))
    assert raw(path, "SELECT first, count FROM page") == [(0, WINDOW)]
    assert count_rows(path, "tail") == 0
    assert_holds(store, run)


def test_pages_hold_no_more_rows_than_are_good_to_read(path: Path, open_store: Any) -> None:
    store = open_store(path)
    run = RunBuilder("many rows")
    primary, count = run.descriptor({"x": 0}), 2 * PAGE_ROWS + 3
    numbers = np.arange(count)
    page = {
        "descriptor": primary,
        "uid": [f"event {number}" for number in range(count)],
        "time": numbers / 10,
        "seq_num": numbers + 1,
        "data": {"x": numbers**2},
        "timestamps": {"x": numbers / 10},
        "filled": {},
    }
    run.documents.append(("event_page", page))
    run.stop()
    record(store, run.documents)
    expected = [(0, PAGE_ROWS), (PAGE_ROWS, PAGE_ROWS), (2 * PAGE_ROWS, 3)]
    assert raw(path, "SELECT first, count FROM page ORDER BY first") == expected
    rows = slice(PAGE_ROWS - 2, 2 * PAGE_ROWS + 1)
    column = store.columns(run.uid, primary, [("data", "x")], rows).columns["data", "x"]
    assert_identical((numbers**2)[rows], column.to_numpy())


def test_pages_hold_no_more_bytes_than_are_good_to_read(
    path: Path, open_store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "PAGE_BYTES", 10_000)
    store, run = open_store(path), RunBuilder("large rows")
    primary = run.descriptor({"image": np.zeros((10, 10))})
    for number in range(100):
        run.event(primary, {"image": np.full((10, 10), float(number))})
    run.stop()
    record(store, bulk(run.documents))
    until(lambda: count_rows(path, "tail") == 0)
    counts = [count for (count,) in raw(path, "SELECT count FROM page ORDER BY first")]
    assert sum(counts) == 100
    assert max(counts) * 800 < 10_000
    assert min(counts) > 1
    assert_holds(store, run.documents)


def test_columns_of_a_large_page_lie_apart(path: Path, open_store: Any) -> None:
    store, run = open_store(path), simple_run(5000)
    record(store, numpy_paged(run, 5000))
    assert raw(path, "SELECT body IS NULL FROM page") == [(1,)]
    assert count_rows(path, "chunk") >= 6
    assert_holds(store, run)


def tail(*counts: int, first: int = 0) -> list[Stretch]:
    return stretches("tail", counts, first)


def pages(*counts: int, first: int = 0) -> list[Stretch]:
    return stretches("page", counts, first)


def stretches(table: str, counts: tuple[int, ...], first: int) -> list[Stretch]:
    made = []
    for number, count in enumerate(counts):
        made.append(Stretch(table, number, first, count))
        first += count
    return made


@pytest.mark.parametrize(
    ("given", "sizes"),
    [
        ([], []),
        (tail(1), [1]),
        (tail(1, 1, 1), [3]),
        (pages(5), []),
        (pages(5, 5), [2]),
        (pages(PAGE_ROWS, PAGE_ROWS), []),
        (pages(PAGE_ROWS - 1) + tail(1, first=PAGE_ROWS - 1), [2]),
        (pages(PAGE_ROWS - 1) + tail(2, first=PAGE_ROWS - 1), [1]),
        (pages(PAGE_ROWS) + tail(5, 5, first=PAGE_ROWS), [2]),
        (tail(PAGE_ROWS + 1), [1]),
        (tail(PAGE_ROWS, 1), [1, 1]),
        (tail(PAGE_ROWS // 2, PAGE_ROWS // 2, 1), [2, 1]),
        (pages(PAGE_ROWS, 5, PAGE_ROWS, 5), []),
        (pages(5) + tail(5, first=5) + pages(5, first=10), [3]),
    ],
)
def test_neighbors_are_folded_up_to_a_full_page(given: list[Stretch], sizes: list[int]) -> None:
    groups = folds(given)
    assert [len(group) for group in groups] == sizes
    folded = [stretch for group in groups for stretch in group]
    assert folded == [stretch for stretch in given if stretch in folded]
    left = [stretch for stretch in given if stretch not in folded]
    assert all(stretch.table == "page" for stretch in left)


def test_folding_leaves_what_another_process_has_folded(path: Path, open_store: Any) -> None:
    one, other, run = open_store(path), open_store(path), simple_run(40)
    for item in run:
        one.insert(*item)
    record(other, run)  # again: it compares, and has the Run in mind
    until(lambda: count_rows(path, "tail") == 0)
    assert_holds(other, run)
    assert raw(path, "SELECT count(*), sum(count) FROM page") == [(1, 40)]


# -- backup ----------------------------------------------------------------------------------------


def test_a_backup_that_is_made_while_recording_is_a_whole_store(
    path: Path, tmp_path: Path, open_store: Any
) -> None:
    store, done = open_store(path), threading.Event()
    runs = [simple_run(40, seed=f"backup {number}") for number in range(200)]
    recorded: list[int] = []

    def record_on() -> None:
        for number, run in enumerate(runs):
            for item in run:
                store.insert(*item)
            recorded.append(number)
            if done.is_set():
                return

    thread = threading.Thread(target=record_on)
    thread.start()
    until(lambda: len(recorded) >= 3)
    before = len(recorded)
    store.backup(tmp_path / "copy.db")
    done.set()
    thread.join()

    copy = open_store(tmp_path / "copy.db")
    assert copy.count() >= before
    for run in runs[:before]:
        assert_holds(copy, run)
    for run in runs[before : copy.count()]:
        uid = run[0][1]["uid"]
        for descriptor, events in events_by_descriptor(run).items():
            count = copy.event_count(uid, descriptor)
            found = [doc for name, doc in given_back(copy, uid) if name == "event"]
            assert_identical(events[:count], found)
    assert raw(tmp_path / "copy.db", "PRAGMA integrity_check") == [("ok",)]
    record(copy, simple_run(3, seed="after"))
    assert_holds(copy, simple_run(3, seed="after"))


def test_a_backup_holds_what_was_inserted_before(
    path: Path, tmp_path: Path, open_store: Any
) -> None:
    store, run = open_store(path), simple_run(30, stop=False)
    for item in run:
        store.insert(*item)
    store.backup(str(tmp_path / "copy.db"))
    assert_holds(open_store(tmp_path / "copy.db", "read"), run)


def test_a_backup_overwrites_nothing(path: Path, tmp_path: Path, open_store: Any) -> None:
    store = open_store(path)
    record(store, simple_run(2))
    target = tmp_path / "precious.txt"
    target.write_text("precious")
    with pytest.raises(InvalidStoreError, match=r"precious\.txt exists; back up to a new file"):
        store.backup(target)
    assert target.read_text() == "precious"
    with pytest.raises(InvalidStoreError, match=r"runs\.db exists"):
        store.backup(path)
    with pytest.raises(InvalidStoreError, match=r"no folder .*missing"):
        store.backup(tmp_path / "missing" / "copy.db")
    assert_holds(store, simple_run(2))


# -- work ------------------------------------------------------------------------------------------


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the statements that this thread executed, in order; the recorder has its own."""
    executed: list[str] = []
    reader = threading.current_thread()

    def spied(method: str) -> None:
        original = getattr(Session, method)

        def spy(self: Session, what: Any, *args: Any, **kwargs: Any) -> Any:
            if threading.current_thread() is reader:
                executed.append(str(what) if method in ("select", "execute") else what)
            return original(self, what, *args, **kwargs)

        monkeypatch.setattr(Session, method, spy)

    for method in ("all", "one", "select", "execute"):
        spied(method)
    return executed


READS: dict[str, tuple[Callable[[Any], Any], int]] = {
    "the newest Run": (lambda cat: cat[-1].metadata, 4),
    "a Run by its uid": (lambda cat: cat[grid_run()[0][1]["uid"]].metadata, 4),
    "a Run by the beginning of its uid": (lambda cat: cat[grid_run()[0][1]["uid"][:8]].metadata, 5),
    "a Run by its scan_id": (lambda cat: cat[3].metadata, 4),
    "is a Run there": (lambda cat: 3 in cat, 2),
    "how many Runs": (len, 1),
    "the newest 50 Run Starts": (lambda cat: cat._store.run_starts(cat._store.uids(limit=50)), 51),
    "the streams of a Run": (lambda cat: list(cat[3]), 4),
    "a stream": (lambda cat: cat[3].primary.read(), 16),
    "one column": (lambda cat: cat[3].primary.read(["slow"]), 16),
    "several descriptors": (lambda cat: cat[5].primary.read(), 22),
    "300 data keys": (lambda cat: cat[4].baseline.read(), 16),
    "all documents": (lambda cat: list(cat[3].documents(fill="no")), 40),
    "a search": (lambda cat: list(cat.search({"plan_name": "grid_scan"})), 5),
    "a catalog as text": (str, 24),
    "a Run as text": (lambda cat: str(cat[3]), 24),
}


def insert_all(catalog: Any, run: Run) -> None:
    for name, doc in run:
        catalog.insert(name, doc)


@pytest.mark.parametrize("name", READS)
def test_reading_takes_few_statements(path: Path, statements: list[str], name: str) -> None:
    read, most = READS[name]
    with databroker.open(path) as catalog:
        for number in range(60):
            insert_all(catalog, simple_run(1, seed=f"{number}", scan_id=100 + number))
        for run in (baseline_run(), several_descriptors_run(40), grid_run((20, 20))):
            insert_all(catalog, run)
        until(lambda: count_rows(path, "tail") == 0)
        statements.clear()
        read(catalog)
        assert 0 < len(statements) <= most, Counter(statements)


# -- threads ---------------------------------------------------------------------------------------


def test_threads_may_insert_into_one_run_at_once(path: Path, open_store: Any) -> None:
    store, run = open_store(path), RunBuilder("threads")
    streams = [run.descriptor({"x": 0}, f"stream {number}") for number in range(4)]
    head, events = list(run.documents), {}
    for descriptor in streams:
        run.documents.clear()
        for index in range(200):
            run.event(descriptor, {"x": index})
        events[descriptor] = list(run.documents)
    record(store, head)
    threads = [threading.Thread(target=record, args=(store, part)) for part in events.values()]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DatabrokerWarning)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for descriptor, part in events.items():
        found = [d for n, d in given_back(store, run.uid)
                 if n == "event" and d["descriptor"] == descriptor]  # fmt: skip
        assert_identical([doc for _, doc in part], found)


def test_threads_may_read_while_others_insert(path: Path, open_store: Any) -> None:
    store, run = open_store(path), simple_run(400)
    record(store, run[:2])
    uid, descriptor, errors = run[0][1]["uid"], run[1][1]["uid"], []

    def read() -> None:
        try:
            while store.run_stops([uid]) == [None]:
                values = store.columns(uid, descriptor, [("data", "detector")])
                column = values.columns.get(("data", "detector"))
                if column is not None:
                    assert column.to_pylist() == [index**3 for index in range(values.count)]
        except BaseException as error:  # noqa: BLE001 - shown in the main thread
            errors.append(error)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    record(store, run[2:])
    for reader in readers:
        reader.join()
    assert errors == []
    assert_holds(store, run)
