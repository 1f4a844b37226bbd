"""Intake drivers: the arguments of a YAML file → a store → a catalog."""

import os
from inspect import signature
from pathlib import Path
from typing import Any

from databroker.catalogs.intake import Catalog
from databroker.errors import InvalidSettingError
from databroker.stores.registry import open_store
from databroker.v2 import Broker

STORE_OPTIONS = ("mode",)
CATALOG_OPTIONS = {
    name for kind in (Broker, Catalog) for name in signature(kind.__init__).parameters
} - {"self", "store", "kwargs", "entries"}


def open(uri: str | os.PathLike[str], **kwargs: Any) -> Broker:
    """Open a store of Runs as a catalog.

    Parameters
    ----------
    uri : str or path
        A path, which is made if it is not there, or a URI: ``sqlite:///runs.db`` is the file
        ``runs.db``, ``memory:`` a new store in memory.
    **kwargs
        `mode`: 'read' or 'write'; by default, a file is opened for recording where it can be
        written, else for reading. All others go to `databroker.v2.Broker`: handler_registry,
        root_map, filler_class, transforms, name, metadata, …

    Raises
    ------
    databroker.errors.InvalidStoreError
        The path is not a store, or the scheme is unknown.
    databroker.errors.StoreVersionError
        A newer version of Databroker has written the store.

    Examples
    --------
    >>> import databroker
    >>> catalog = databroker.open("memory:")
    >>> len(catalog)
    0
    """
    unknown = kwargs.keys() - CATALOG_OPTIONS - set(STORE_OPTIONS)
    if unknown:
        raise InvalidSettingError(
            f"open has no option {', '.join(sorted(unknown))}; it takes mode, handler_registry, "
            "root_map, filler_class, transforms, name, description and metadata."
        )
    options = {name: kwargs.pop(name) for name in STORE_OPTIONS if name in kwargs}
    store = open_store(uri, **options)
    return Broker(store=store, **{"name": Path(store.uri).stem.removesuffix(":"), **kwargs})
