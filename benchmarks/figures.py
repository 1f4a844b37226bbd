"""Figures: what was measured, beside its floor and its target."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, TypeVar

from pytest_benchmark.fixture import BenchmarkFixture

Input = TypeVar("Input")
Ours = TypeVar("Ours")
Floor = TypeVar("Floor")


@dataclass(frozen=True, slots=True)
class Unit:
    """How a quantity is shown, and which way is better."""

    symbol: str
    factor: float = 1.0
    more_is_better: bool = False

    def text(self, value: float) -> str:
        """Return a quantity with its unit."""
        value *= self.factor
        return f"{value:,.0f} {self.symbol}" if value >= 1000 else f"{value:.3g} {self.symbol}"


MILLISECONDS = Unit("ms", 1e3)
MEGABYTES = Unit("MB", 1e-6)
EVENTS = Unit("events/s", more_is_better=True)
RUNS = Unit("runs/s", more_is_better=True)


@dataclass(frozen=True, slots=True)
class Target:
    """What a figure should reach: a ratio to the floor, or a quantity of its own."""

    ratio: float | None = None
    quantity: float | None = None


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table."""

    name: str
    unit: Unit
    target: Target
    ours: float
    floor: float | None

    @property
    def ratio(self) -> float | None:
        return None if self.floor is None else self.ours / self.floor

    @property
    def is_met(self) -> bool:
        reached, target = self.ratio, self.target.ratio
        if target is None or reached is None:
            reached, target = self.ours, self.target.quantity
        assert target is not None, f"the target of {self.name} has no floor to be held against"
        return reached >= target if self.unit.more_is_better else reached <= target

    def cells(self) -> tuple[str, ...]:
        """Return the texts of the line."""
        sign = "≥" if self.unit.more_is_better else "≤"
        ratio, quantity = self.target.ratio, self.target.quantity
        return (
            self.name,
            self.unit.text(self.ours),
            "—" if self.floor is None else self.unit.text(self.floor),
            "—" if self.ratio is None else f"{self.ratio:.2f}",
            f"{sign} {ratio:g}x" if quantity is None else f"{sign} {self.unit.text(quantity)}",
            "yes" if self.is_met else "NO",
        )


HEADINGS = ("figure", "ours", "floor", "ratio", "target", "met")


def table(figures: Sequence[Figure]) -> list[str]:
    """Return the lines of a Markdown table."""
    rows = [HEADINGS, *(figure.cells() for figure in figures)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        f"| {' | '.join(cell.ljust(w) for cell, w in zip(row, widths, strict=True))} |"
        for row in rows
    ]
    return [lines[0], f"|{'|'.join('-' * (width + 2) for width in widths)}|", *lines[1:]]


@dataclass(slots=True)
class Compare:
    """Measures ours and the floor in turn, and notes the medians.

    Parameters
    ----------
    benchmark
        The fixture of pytest-benchmark, which times ours.
    figures
        Where the figures are noted.
    """

    benchmark: BenchmarkFixture
    figures: list[Figure] = field(default_factory=list)

    @property
    def is_measuring(self) -> bool:
        """Whether times matter; else each function is called once, and its answer checked."""
        return bool(self.benchmark.enabled)

    def times(
        self,
        name: str,
        target: Target,
        *,
        ours: Callable[[Input], Ours],
        floor: Callable[[Input], Floor] | None,
        inputs: Iterable[Input],
        rounds: int,
        unit: Unit = MILLISECONDS,
        of: int = 1,
    ) -> tuple[Input, Ours, Floor | None]:
        """Call both with the same input, floor and ours in turn, with a new input each round.

        Parameters
        ----------
        name, target, unit
            Of the figure.
        ours, floor
            What is timed.
        inputs
            One for each round and one more: the first call of each is not counted.
        rounds
            How many are counted.
        of
            How many things one call handles, where the unit counts things in a second.

        Returns
        -------
        tuple
            The last input, and both answers to it.
        """
        fresh = iter(inputs)
        seconds: list[float] = []
        last: list[Any] = [None, None]

        def setup() -> tuple[tuple[Input], dict[str, Any]]:
            last[:] = [next(fresh), None]
            if floor is not None:
                began = time.perf_counter()
                last[1] = floor(last[0])
                seconds.append(time.perf_counter() - began)
            return (last[0],), {}

        answer = self.benchmark.pedantic(ours, setup=setup, rounds=rounds, warmup_rounds=1)
        if self.is_measuring:
            stats: Any = self.benchmark.stats
            mine: float = stats.stats.median
            plain = median(seconds[1:]) if seconds else None
            if unit.more_is_better:
                mine, plain = of / mine, None if plain is None else of / plain
            self.note(Figure(name, unit, target, mine, plain))
        return last[0], answer, last[1]

    def quantities(
        self,
        name: str,
        target: Target,
        *,
        ours: Callable[[Input], float],
        floor: Callable[[Input], float] | None,
        inputs: Iterable[Input],
        rounds: int,
        unit: Unit,
    ) -> None:
        """Note what both measured themselves, in turn: peak memory, the time of an import."""
        fresh = iter(inputs)
        mine: list[float] = []
        plain: list[float] = []

        def setup() -> tuple[tuple[Input], dict[str, Any]]:
            each = next(fresh)
            if floor is not None:
                plain.append(floor(each))
            return (each,), {}

        def measured(each: Input) -> None:
            mine.append(ours(each))

        self.benchmark.pedantic(measured, setup=setup, rounds=rounds)
        if self.is_measuring:
            floor_median = median(plain) if plain else None
            self.note(Figure(name, unit, target, median(mine), floor_median))

    def note(self, figure: Figure) -> None:
        """Keep a figure for the table, and print it."""
        self.figures.append(figure)
        self.benchmark.extra_info.update(zip(HEADINGS, figure.cells(), strict=True))
        print("\n" + "  ".join(figure.cells()))
