"""Databroker gives scientists their experiment back.

`open` opens a store of Runs; `databroker.v2`, `databroker.core`, `databroker.queries` and
`databroker.utils` hold the names that scripts written for databroker 1.x import. Everything is
imported when it is first used.
"""

import importlib
from importlib.metadata import version as _version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from databroker import core, errors, queries, utils, v1, v2
    from databroker._drivers import open  # noqa: F401 - not in __all__, see there
    from databroker.utils import catalog_search_path

__version__ = _version("databroker")

# `open` is left out: `from databroker import *` must not hide the builtin.
__all__ = ["__version__", "catalog_search_path", "core", "errors", "queries", "utils", "v1", "v2"]

_MODULES = frozenset({"core", "errors", "queries", "utils", "v1", "v2"})
_OF_1X = frozenset({"Broker", "Header", "catalog", "temp", "list_configs", "lookup_config"})
_NAMES = {"open": "databroker._drivers", "catalog_search_path": "databroker.utils"}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"databroker.{name}")
    if name in _NAMES:
        return getattr(importlib.import_module(_NAMES[name]), name)
    if name in _OF_1X:
        raise AttributeError(
            f"databroker.{name} of databroker 1.x is not in this version; "
            'open a store with databroker.open("runs.db").'
        )
    raise AttributeError(f"module 'databroker' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES, *_NAMES})
