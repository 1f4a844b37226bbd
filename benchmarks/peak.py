"""``python -m benchmarks.peak ours FOLDER UID``: reads one Run; prints rows and peak memory."""

import resource
import sys
from pathlib import Path

KIBIBYTE = 1024


def read_ours(folder: Path, uid: str) -> int:
    import databroker

    with databroker.open(str(folder / "runs.db")) as catalog:
        return catalog[uid].primary.read().sizes["time"]


def read_floor(folder: Path, uid: str) -> int:
    from benchmarks import floor

    with floor.Catalog(folder) as catalog:
        return catalog.read(uid).sizes["time"]


def peak() -> int:
    """Return the peak memory of this process, in bytes."""
    status = Path("/proc/self/status")
    if status.exists():  # ru_maxrss counts the process that started this one, too
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) * KIBIBYTE
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size if sys.platform == "darwin" else size * KIBIBYTE


if __name__ == "__main__":
    whose, folder, uid = sys.argv[1:]
    rows = {"ours": read_ours, "floor": read_floor}[whose](Path(folder), uid)
    print(rows, peak())
