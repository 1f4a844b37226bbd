"""What the SQLite library and the file system under a store allow."""

import os
from pathlib import Path
from typing import Any

from databroker.errors import ReadOnlyStoreError

NETWORK_FILE_SYSTEMS = frozenset(
    {"9p", "afs", "beegfs", "ceph", "cifs", "fuse.sshfs", "glusterfs", "gpfs", "lustre", "nfs",
     "nfs4", "smb3", "smbfs"}
)  # fmt: skip


def loses_commits(version: tuple[int, int, int]) -> bool:
    """Tell whether a SQLite library has the WAL-reset bug.

    Before 3.51.3, and its backports 3.50.7 and 3.44.6, committed transactions can be lost when
    two connections write and checkpoint at once (https://sqlite.org/wal.html).

    Examples
    --------
    >>> loses_commits((3, 40, 1)), loses_commits((3, 44, 6)), loses_commits((3, 53, 4))
    (True, False, False)
    """
    fixed = {(3, 44): 6, (3, 50): 7, (3, 51): 3}
    return version[2] < fixed[version[:2]] if version[:2] in fixed else version < (3, 51)


class WriterLock:
    """Keeps a second process from writing where the SQLite library cannot stand it.

    Parameters
    ----------
    path : Path
        The store.
    version : str
        Of the SQLite library.
    """

    def __init__(self, path: Path, version: str) -> None:
        self._file: Any = open(path.with_name(path.name + "-writer"), "a+b")  # noqa: SIM115 - kept
        try:
            _lock(self._file.fileno())
        except OSError:
            self._file.close()
            raise ReadOnlyStoreError(
                f"Another process records in {path}, and SQLite {version} can lose what two of "
                "them write at once. Install pysqlite3, which brings a newer SQLite, or let one "
                "process record at a time."
            ) from None

    def release(self) -> None:
        """Let another process write."""
        self._file.close()


def _lock(descriptor: int) -> None:
    """Lock an open file for this process, or raise OSError."""
    if os.name == "nt":
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def network_file_system(path: Path, mounts: str | None = None) -> str | None:
    """Return the type of the network file system that a path is on, None if it is local.

    Parameters
    ----------
    path : Path
        An absolute path.
    mounts : str, optional
        The table of mounted file systems, in the form of Linux's ``/proc/self/mounts``; by
        default that of this computer, if it has one.

    Examples
    --------
    >>> network_file_system(Path("/data/runs.db"), "server:/export /data nfs4 rw 0 0")
    'nfs4'
    """
    if mounts is None:
        try:
            mounts = Path("/proc/self/mounts").read_text()
        except OSError:
            return None
    best, kind = "", None
    for line in mounts.splitlines():
        _, place, of_kind, *_ = line.split()
        place = place.replace("\\040", " ")
        if path.is_relative_to(place) and len(place) >= len(best):
            best, kind = place, of_kind
    return kind if kind in NETWORK_FILE_SYSTEMS else None
