"""What all tests share: the stores, and how patient Hypothesis is."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from hypothesis import settings

pytest.register_assert_rewrite("databroker.testing.stores")

from databroker.stores.memory import MemoryStore  # noqa: E402
from databroker.stores.sqlite import SQLiteStore  # noqa: E402
from databroker.testing.stores import StoreMaker  # noqa: E402

# The first example of a test imports and compiles; on a busy machine any may take long.
settings.register_profile("databroker", deadline=None)
settings.load_profile("databroker")


def memory(folder: Path) -> StoreMaker:
    return StoreMaker(new=MemoryStore)


def sqlite(folder: Path) -> StoreMaker:
    paths = (folder / f"{number}.db" for number in count())
    return StoreMaker(
        new=lambda: SQLiteStore(next(paths)), again=lambda store: SQLiteStore(store._file.path)
    )


STORES: dict[str, Callable[[Path], StoreMaker]] = {"memory": memory, "sqlite": sqlite}
"""Every store that the tests run on: its name, and how to open it in a folder."""


@pytest.fixture(params=STORES)
def make_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StoreMaker]:
    with STORES[request.param](tmp_path) as make_store:
        yield make_store
