"""The intake driver ``bluesky-sqlite-catalog``."""

from typing import Any

from databroker.stores.sqlite import Mode, SQLiteStore
from databroker.v2 import Broker


class BlueskySQLiteCatalog(Broker):
    """A catalog of the Runs in one SQLite file.

    Parameters
    ----------
    path : str
        The file; it is made if it is not there.
    mode : {'write', 'read', None}
        See `databroker.open`.
    **kwargs
        See `databroker.v2.Broker`.
    """

    name = "bluesky-sqlite-catalog"

    def __init__(self, path: str, *, mode: Mode | None = None, **kwargs: Any) -> None:
        super().__init__(store=SQLiteStore(path, mode), **kwargs)
