"""Which store a URI or a path stands for."""

import os
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from databroker.errors import InvalidSettingError, InvalidStoreError
from databroker.stores.protocol import RunStore


def open_store(uri: str | os.PathLike[str], **options: Any) -> RunStore:
    """Open the store that a URI or a path stands for.

    Raises
    ------
    databroker.errors.InvalidStoreError
        The scheme is unknown, or the store cannot be opened.
    """
    if not isinstance(uri, str | os.PathLike):
        raise InvalidSettingError(f"A store is a path or a URI, not {uri!r}.")
    text = os.fspath(uri)
    scheme = re.match(r"([a-z][a-z0-9+]+):", text)  # one letter is a drive
    if scheme is None:
        return open_sqlite_file(text, options)
    open_uri = SCHEMES.get(scheme[1])
    if open_uri is None:
        raise InvalidStoreError(
            f"No store is known for URIs that begin with {scheme[1]}: (the rest may hold a "
            "password, and is not shown). Give a path, or a URI that begins with one of: "
            f"{', '.join(f'{name}:' for name in SCHEMES)}."
        )
    return open_uri(text, options)


def open_memory(uri: str, options: dict[str, Any]) -> RunStore:
    """Open a new store in memory."""
    from databroker.stores.memory import MemoryStore

    _refuse(uri, options)
    return MemoryStore()


def open_sqlite(uri: str, options: dict[str, Any]) -> RunStore:
    """Open the file of ``sqlite:///path``, with options as in ``sqlite:///path?mode=read``."""
    parts = urlsplit(uri)
    return open_sqlite_file(
        unquote(parts.path).removeprefix("/"), {**dict(parse_qsl(parts.query)), **options}
    )


def open_sqlite_file(path: str, options: dict[str, Any]) -> RunStore:
    """Open a file."""
    from databroker.stores.sqlite import SQLiteStore

    mode = options.pop("mode", None)
    _refuse(path, options)
    return SQLiteStore(path, mode)


SCHEMES: dict[str, Callable[[str, dict[str, Any]], RunStore]] = {
    "memory": open_memory,
    "sqlite": open_sqlite,
}
"""What opens a URI, by its scheme. A path without a scheme is a SQLite file."""


def _refuse(uri: str, options: dict[str, Any]) -> None:
    if options:
        raise InvalidSettingError(f"Unknown options for {uri!r}: {', '.join(options)}.")
