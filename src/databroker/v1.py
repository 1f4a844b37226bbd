"""Catalogs of Runs as scripts for databroker 0.x and 1.x use them."""

from collections.abc import Callable, Mapping
from typing import Any

from databroker import v2

__all__ = ["Broker"]


class Broker:
    """Records documents in a catalog.

    Parameters
    ----------
    catalog : databroker.v2.Broker
        The catalog.
    """

    def __init__(self, catalog: v2.Broker) -> None:
        self._catalog = catalog

    @property
    def insert(self) -> Callable[[str, Mapping[str, Any]], None]:
        """Record a document: ``insert(name, doc)``."""
        return self._catalog.insert

    @property
    def v1(self) -> "Broker":
        """The object itself."""
        return self

    @property
    def v2(self) -> v2.Broker:
        """The catalog."""
        return self._catalog

    @property
    def name(self) -> str | None:
        """The name of the catalog."""
        return self._catalog.name
