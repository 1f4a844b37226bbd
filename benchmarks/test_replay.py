"""The documents of a Run, one after the other."""

import itertools
from collections.abc import Iterable

import databroker
from benchmarks import floor, workload
from benchmarks.conftest import Sizes
from benchmarks.figures import EVENTS, Compare, Target
from benchmarks.stores import Pair
from benchmarks.workload import Document, Named


def events_of(documents: Iterable[Named]) -> Iterable[Document]:
    """Yield Events, and Event Pages of one row as Events."""
    for name, doc in documents:
        if name == "event":
            yield doc
        elif name == "event_page":
            yield {key: _only(value) for key, value in doc.items()}


def _only(value: object) -> object:
    match value:
        case dict():
            return {key: _only(item) for key, item in value.items()}
        case [item]:
            return item
        case _:
            return value


def count(documents: Iterable[Named]) -> int:
    return sum(name in ("event", "event_page") for name, _ in documents)


def test_replaying_a_run(compare: Compare, long_runs: Pair, sizes: Sizes) -> None:
    def ours(uid: str) -> int:
        with databroker.open(long_runs.ours) as catalog:
            return count(catalog[uid].documents(fill="no"))

    def plain(uid: str) -> int:
        with floor.Catalog(long_runs.folder) as catalog:
            return count(catalog.documents(uid))

    uid, replayed, expected = compare.times(
        f"open and replay {sizes.events:,} events, fill='no'",
        Target(ratio=0.5),
        ours=ours,
        floor=plain,
        inputs=[workload.uid_of(seed) for seed in range(sizes.rounds + 1)],
        rounds=sizes.rounds,
        unit=EVENTS,
        of=sizes.events,
    )
    assert replayed == expected == sizes.events
    with (
        databroker.open(long_runs.ours) as catalog,
        floor.Catalog(long_runs.folder) as files,
    ):
        read = events_of(catalog[uid].documents(fill="no"))
        written = events_of(files.documents(uid))
        assert all(map(dict.__eq__, itertools.islice(read, 1000), written))
