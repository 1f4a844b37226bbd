"""How the tests of reading get a Run: recorded in every store, and looked up again."""

from typing import Any, Protocol

import pytest

from databroker.core import BlueskyRun
from databroker.testing.documents import Run
from databroker.testing.stores import StoreMaker
from databroker.v2 import Broker


class Record(Protocol):
    """Records documents in a new store, and returns the newest Run in it."""

    def __call__(self, documents: Run, **settings: Any) -> BlueskyRun: ...


@pytest.fixture
def record(make_store: StoreMaker) -> Record:
    def record(documents: Run, **settings: Any) -> BlueskyRun:
        catalog = Broker(store=make_store(), **{"handler_registry": {}, **settings})
        for name, doc in documents:
            catalog.insert(name, doc)
        return catalog[-1]

    return record
