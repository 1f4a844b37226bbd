"""The door to intake: its base classes, which have no types that a checker could hold us to."""

from typing import Any

from intake.catalog import Catalog as _Catalog
from intake.catalog.local import LocalCatalogEntry as _LocalCatalogEntry
from intake.source.base import DataSource as _DataSource

Catalog: Any = _Catalog
DataSource: Any = _DataSource
LocalCatalogEntry: Any = _LocalCatalogEntry
