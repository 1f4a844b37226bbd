"""Catalogs of Runs: the documented names of ``databroker.v2``."""

import shutil
import tempfile
import weakref
from pathlib import Path

from databroker.catalogs.broker import Broker
from databroker.stores.registry import open_store

__all__ = ["Broker", "temp"]


def temp() -> Broker:
    """Return a catalog over a new store that goes with it, for trying things out.

    Examples
    --------
    >>> catalog = temp()
    >>> catalog
    <Intake catalog: temp>
    >>> len(catalog)
    0
    >>> catalog.close()
    """
    folder = tempfile.mkdtemp(prefix="databroker-")
    store = open_store(str(Path(folder) / "temp.db"))
    weakref.finalize(store, shutil.rmtree, folder, ignore_errors=True)
    return Broker(store=store, name="temp")
