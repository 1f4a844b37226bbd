"""Recording: from the first document until everything is stored for good."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import databroker
from benchmarks import floor, workload
from benchmarks.conftest import Sizes
from benchmarks.figures import EVENTS, RUNS, Compare, Target, Unit
from benchmarks.stores import Pair
from benchmarks.workload import Named


@dataclass(frozen=True, slots=True)
class Job:
    """Documents to record, and two new places to record them in."""

    pair: Pair
    documents: Sequence[Named]
    catalog: Any
    recorder: floor.Recorder

    @classmethod
    def new(cls, folder: Path, documents: Sequence[Named]) -> "Job":
        """Open both places, and record a first short Run in each."""
        folder.mkdir()
        pair = Pair(folder)
        job = cls(pair, documents, databroker.open(pair.ours), floor.Recorder(folder))
        for name, doc in workload.small_run(10_000_000):
            job.catalog.insert(name, doc)
            job.recorder.insert(name, doc)
        return job


def record(job: Job) -> None:
    with job.catalog as catalog:
        insert = catalog.insert
        for name, doc in job.documents:
            insert(name, doc)


def record_floor(job: Job) -> None:
    with job.recorder as recorder:
        for name, doc in job.documents:
            recorder.insert(name, doc)


@dataclass(frozen=True, slots=True)
class Kind:
    """What is recorded, and how fast that should be."""

    name: str
    ratio: float
    unit: Unit

    def runs(self, sizes: Sizes) -> list[list[Named]]:
        """Return Runs, each as the list of its documents."""
        match self.name:
            case "small Runs":
                numbers = range(1, sizes.recorded_runs + 1)
                return [list(workload.small_run(number)) for number in numbers]
            case "event_pages":
                return [list(workload.scalar_run(sizes.recorded_events, 1, page=1000))]
            case _:
                return [list(workload.scalar_run(sizes.recorded_events, 1))]


KINDS = (
    Kind("events one by one", 0.3, EVENTS),
    Kind("event_pages", 0.5, EVENTS),
    Kind("small Runs", 0.3, RUNS),
)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_recording(compare: Compare, sizes: Sizes, tmp_path: Path, kind: Kind) -> None:
    runs = kind.runs(sizes)
    documents = [named for run in runs for named in run]

    def jobs() -> Iterator[Job]:
        for number in range(sizes.rounds + 1):
            yield Job.new(tmp_path / str(number), documents)

    job, _, _ = compare.times(
        f"record {kind.name}",
        Target(ratio=kind.ratio),
        ours=record,
        floor=record_floor,
        inputs=jobs(),
        rounds=sizes.rounds,
        unit=kind.unit,
        of=len(runs) if kind.unit is RUNS else sizes.recorded_events,
    )
    with databroker.open(job.pair.ours) as catalog, floor.Catalog(job.pair.folder) as files:
        assert len(catalog) == len(runs) + 1
        for _, start in (run[0] for run in runs):
            ours = catalog[start["uid"]].primary.read()
            plain = files.read(start["uid"])
            assert (ours["det1"].values == plain["det1"].values).all()
            assert (ours["label"].values == plain["label"].values).all()
