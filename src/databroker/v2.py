"""Catalogs of Runs: the documented names of ``databroker.v2``."""

from databroker.catalogs.broker import Broker
from databroker.stores.sqlite import SQLiteStore

Broker.__module__ = __name__  # reprs, tracebacks and pickles name the public place

__all__ = ["Broker", "temp"]


def temp() -> Broker:
    """Return a catalog over a new store that is deleted with it, for trying things out.

    Examples
    --------
    >>> catalog = temp()
    >>> catalog
    <Intake catalog: temp>
    >>> len(catalog)
    0
    >>> catalog.close()
    """
    return Broker(store=SQLiteStore.temporary(), name="temp")
