"""Reading a stream as labelled arrays."""

import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
import xarray

import databroker
from benchmarks import floor, workload
from benchmarks.conftest import ROOT, Sizes
from benchmarks.figures import MEGABYTES, Compare, Target
from benchmarks.stores import Pair, Shelf

COLUMN = "det3"


def same(ours: xarray.Dataset, plain: xarray.Dataset | None) -> bool:
    """Tell whether both have the same variables, values and times."""
    assert plain is not None
    assert set(ours) == set(plain)
    for name in (*plain, "time"):
        values, expected = ours[name].values, plain[name].values
        np.testing.assert_array_equal(values, expected.astype(values.dtype))
    return ours.sizes == plain.sizes


def uids(count: int) -> list[str]:
    return [workload.uid_of(seed) for seed in range(count)]


def opened_and_read(pair: Pair) -> Callable[[str], xarray.Dataset]:
    def read(uid: str) -> xarray.Dataset:
        with databroker.open(pair.ours) as catalog:
            return catalog[uid].primary.read()

    return read


def floor_opened_and_read(pair: Pair) -> Callable[[str], xarray.Dataset]:
    def read(uid: str) -> xarray.Dataset:
        with floor.Catalog(pair.folder) as catalog:
            return catalog.read(uid)

    return read


@pytest.fixture(scope="session")
def mixed_runs(shelf: Shelf, sizes: Sizes) -> Pair:
    def runs():
        for seed in range(sizes.rounds + 1):
            columns = workload.mixed(sizes.events, workload.FLOAT_KEYS, seed)
            yield workload.run(columns, seed)

    return shelf.pair(f"mixed-{sizes.events}-{sizes.rounds}", runs)


@pytest.fixture(scope="session")
def short_runs(shelf: Shelf, sizes: Sizes) -> Pair:
    def runs():
        return (workload.scalar_run(1000, seed) for seed in range(sizes.short_runs))

    return shelf.pair(f"short-{sizes.short_runs}", runs)


@pytest.fixture(scope="session")
def baselines(shelf: Shelf, sizes: Sizes) -> Pair:
    def runs():
        for seed in range(sizes.short_runs):
            yield workload.run(workload.baseline(2, 300, seed), seed, stream="baseline")

    return shelf.pair(f"baselines-{sizes.short_runs}", runs)


def test_reading_a_long_run(compare: Compare, long_runs: Pair, sizes: Sizes) -> None:
    _, ours, plain = compare.times(
        f"open and read {sizes.events:,} events",
        Target(ratio=2),
        ours=opened_and_read(long_runs),
        floor=floor_opened_and_read(long_runs),
        inputs=uids(sizes.rounds + 1),
        rounds=sizes.rounds,
    )
    assert ours.sizes["time"] == sizes.events
    assert same(ours, plain)


def test_reading_one_column_of_ten(compare: Compare, long_runs: Pair, sizes: Sizes) -> None:
    def ours(uid: str) -> xarray.Dataset:
        with databroker.open(long_runs.ours) as catalog:
            return catalog[uid].primary.read([COLUMN])

    def plain(uid: str) -> xarray.Dataset:
        with floor.Catalog(long_runs.folder) as catalog:
            return catalog.read(uid, [COLUMN])

    _, read, expected = compare.times(
        f"open and read one column of ten, {sizes.events:,} events",
        Target(ratio=1.5),
        ours=ours,
        floor=plain,
        inputs=uids(sizes.rounds + 1),
        rounds=sizes.rounds,
    )
    assert list(read) == [COLUMN]
    assert same(read, expected)


def test_reading_columns_that_mix_int_float_and_none(
    compare: Compare, mixed_runs: Pair, sizes: Sizes
) -> None:
    """The floor keeps float64 and a validity bit: all that numpy can show of these values."""
    _, ours, plain = compare.times(
        f"open and read {sizes.events:,} events of int, float and None",
        Target(ratio=3),
        ours=opened_and_read(mixed_runs),
        floor=floor_opened_and_read(mixed_runs),
        inputs=uids(sizes.rounds + 1),
        rounds=sizes.rounds,
    )
    assert np.isnan(ours[COLUMN].values).any()
    assert same(ours, plain)


def test_reading_a_short_run(compare: Compare, short_runs: Pair, sizes: Sizes) -> None:
    with databroker.open(short_runs.ours) as catalog, floor.Catalog(short_runs.folder) as files:
        _, ours, plain = compare.times(
            "look up and read 1,000 events",
            Target(quantity=0.002),
            ours=lambda uid: catalog[uid].primary.read(),
            floor=files.read,
            inputs=uids(sizes.short_runs),
            rounds=sizes.short_runs - 1,
        )
    assert same(ours, plain)


def test_reading_a_baseline(compare: Compare, baselines: Pair, sizes: Sizes) -> None:
    with databroker.open(baselines.ours) as catalog, floor.Catalog(baselines.folder) as files:
        _, ours, plain = compare.times(
            "look up and read a baseline of 300 keys and 2 events",
            Target(quantity=0.005),
            ours=lambda uid: catalog[uid].baseline.read(),
            floor=files.read,
            inputs=uids(sizes.short_runs),
            rounds=sizes.short_runs - 1,
        )
    assert len(ours) == 300
    assert same(ours, plain)


def test_the_peak_memory_of_reading(compare: Compare, long_runs: Pair, sizes: Sizes) -> None:
    def peak(whose: str) -> Callable[[str], float]:
        def of(uid: str) -> float:
            command = [sys.executable, "-m", "benchmarks.peak", whose, str(long_runs.folder), uid]
            answer = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
            rows, size = map(int, answer.stdout.split())
            assert rows == sizes.events
            return size

        return of

    compare.quantities(
        f"peak memory of a process that reads {sizes.events:,} events",
        Target(ratio=1.3),
        ours=peak("ours"),
        floor=peak("floor"),
        inputs=uids(sizes.rounds),
        rounds=sizes.rounds,
        unit=MEGABYTES,
    )
