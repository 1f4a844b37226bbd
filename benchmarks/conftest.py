"""Sizes, stores, and the table at the end."""

import os
from dataclasses import dataclass
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks import workload
from benchmarks.figures import Compare, Figure, table
from benchmarks.stores import CACHE, Pair, Shelf

FIGURES = pytest.StashKey[list[Figure]]()
ROOT = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much there is of everything."""

    events: int
    rounds: int
    runs: tuple[int, ...]
    recorded_events: int
    recorded_runs: int
    lookups: int
    short_runs: int


FULL = Sizes(100_000, 5, (10_000, 100_000), 20_000, 100, 300, 61)
SMALL = Sizes(1000, 1, (200, 200), 1000, 10, 1, 2)


def is_measuring(config: pytest.Config) -> bool:
    return bool(config.getoption("benchmark_enable")) or not config.getoption("benchmark_disable")


@pytest.fixture(scope="session")
def sizes(pytestconfig: pytest.Config) -> Sizes:
    return FULL if is_measuring(pytestconfig) else SMALL


@pytest.fixture(scope="session")
def shelf(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    scratch = tmp_path_factory.mktemp("benchmarks")
    if folder := os.environ.get(CACHE):
        return Shelf(Path(folder), scratch)
    cache = getattr(pytestconfig, "cache", None)
    if cache is None or not is_measuring(pytestconfig):
        return Shelf(scratch, scratch)
    return Shelf(cache.mkdir("databroker-benchmarks"), scratch)


@pytest.fixture(scope="session")
def long_runs(shelf: Shelf, sizes: Sizes) -> Pair:
    def runs():
        return (workload.scalar_run(sizes.events, seed) for seed in range(sizes.rounds + 1))

    return shelf.pair(f"long-{sizes.events}-{sizes.rounds}", runs)


@pytest.fixture
def compare(pytestconfig: pytest.Config, benchmark: BenchmarkFixture) -> Compare:
    return Compare(benchmark, pytestconfig.stash.setdefault(FIGURES, []))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Give the making of large stores the time that it takes."""
    if is_measuring(config):
        for item in items:
            if item.path.is_relative_to(ROOT / "benchmarks"):
                item.add_marker(pytest.mark.timeout(3600))


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    figures = config.stash.get(FIGURES, [])
    if figures:
        terminalreporter.section("beside the floor")
        for line in table(figures):
            terminalreporter.write_line(line)
