"""How the tests of catalogs get one: over every store, with Runs in it."""

from collections.abc import Iterable
from typing import Any, Protocol

import pytest

from databroker.testing.documents import Run
from databroker.testing.stores import StoreMaker
from databroker.v2 import Broker


class MakeCatalog(Protocol):
    """Makes a catalog over a new store, and records Runs in it."""

    def __call__(self, runs: Iterable[Run] = (), **settings: Any) -> Broker: ...


@pytest.fixture
def make_catalog(make_store: StoreMaker) -> MakeCatalog:
    def make_catalog(runs: Iterable[Run] = (), **settings: Any) -> Broker:
        catalog = Broker(store=make_store(), **{"handler_registry": {}, **settings})
        for run in runs:
            for name, doc in run:
                catalog.insert(name, doc)
        return catalog

    return make_catalog
