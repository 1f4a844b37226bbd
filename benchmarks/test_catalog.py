"""Finding Runs among many, while another process records."""

import itertools
import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

import databroker
from benchmarks import floor, workload
from benchmarks.conftest import ROOT, Sizes
from benchmarks.figures import Compare, Target
from benchmarks.stores import Pair, Shelf, copied

AT_ONCE = Target(quantity=0.0005)
NEWEST = 100


@dataclass(frozen=True, slots=True)
class Busy:
    """A store that another process records in."""

    pair: Pair
    runs: int
    catalog: Any
    files: floor.Catalog
    rounds: int

    def label(self, what: str) -> str:
        """Return the name of a figure."""
        return f"{what}, among {self.runs:,} Runs"

    def numbers(self, seed: int) -> list[int]:
        """Return Runs that are looked up: their scan_ids, each of which is a seed, too."""
        return random.Random(seed).sample(range(1, self.runs + 1), self.rounds + 1)


@pytest.fixture(scope="module", params=[0, 1], ids=["some Runs", "many Runs"])
def busy(
    request: pytest.FixtureRequest,
    shelf: Shelf,
    sizes: Sizes,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Busy]:
    count = sizes.runs[request.param]
    kept = shelf.pair(
        f"runs-{count}", lambda: map(workload.small_run, range(1, count + 1)), many=True
    )
    pair = copied(kept, tmp_path_factory.mktemp("busy") / "store")
    command = [sys.executable, "-m", "benchmarks.recording", pair.ours]
    with (
        subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process,
        databroker.open(pair.ours) as catalog,
        floor.Catalog(pair.folder) as files,
    ):
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline(), "the other process records"
        yield Busy(pair, count, catalog, files, sizes.lookups)
        assert process.poll() is None, "the other process has recorded all the time"
        process.stdin.close()
        process.stdout.read()


def test_opening(compare: Compare, busy: Busy) -> None:
    opened: list[Any] = []

    def inputs() -> Iterator[Pair]:
        for _ in range(21):
            for one in opened:
                one.close()
            opened.clear()
            yield busy.pair

    def ours(pair: Pair) -> Any:
        opened.append(databroker.open(pair.ours))
        return opened[-1]

    def plain(pair: Pair) -> None:
        with floor.Catalog(pair.folder):
            pass

    _, catalog, _ = compare.times(
        busy.label("open"),
        Target(quantity=0.005),
        ours=ours,
        floor=plain,
        inputs=inputs(),
        rounds=20,
    )
    assert len(catalog) > busy.runs
    catalog.close()


@pytest.mark.parametrize("by", ["uid", "partial uid", "scan_id", "-1"])
def test_looking_up(compare: Compare, busy: Busy, by: str) -> None:
    numbers = busy.numbers(len(by))
    keys: dict[str, list[Any]] = {
        "uid": [workload.uid_of(number) for number in numbers],
        "partial uid": [workload.uid_of(number)[:8] for number in numbers],
        "scan_id": numbers,
        "-1": [-1] * len(numbers),
    }
    key, metadata, start = compare.times(
        busy.label(f"metadata by {by}"),
        AT_ONCE,
        ours=lambda key: busy.catalog[key].metadata,
        floor=busy.files.start,
        inputs=keys[by],
        rounds=busy.rounds,
    )
    if by == "-1":  # the floor does not have what the other process recorded
        assert metadata["start"]["scan_id"] > busy.runs
    else:
        assert metadata["start"] == start
        assert start is not None
        assert metadata["stop"]["run_start"] == metadata["start"]["uid"]
        assert key in (start["scan_id"], start["uid"], start["uid"][:8])


def test_the_newest_run_starts(compare: Compare, busy: Busy) -> None:
    _, ours, plain = compare.times(
        busy.label(f"the newest {NEWEST} Run Starts"),
        Target(quantity=0.010),
        ours=lambda count: [
            run.metadata["start"] for run in itertools.islice(busy.catalog.values(), count)
        ],
        floor=busy.files.newest,
        inputs=itertools.repeat(NEWEST),
        rounds=min(busy.rounds, 30),
    )
    assert plain is not None
    assert len(ours) == len(plain) == NEWEST
    older = [start for start in ours if start["scan_id"] <= busy.runs]
    assert older == plain[: len(older)]
    assert ours == sorted(ours, key=lambda start: -start["time"])
