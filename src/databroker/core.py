"""Runs, streams and documents: the documented names of ``databroker.core``."""

from typing import TYPE_CHECKING, Any

from databroker.catalogs.caches import (
    BlueskyRunFromGenerator,
    SingleRunCache,
    retry,
    to_datum_pages,
    to_event_pages,
)
from databroker.catalogs.run import BlueskyRun
from databroker.catalogs.stream import BlueskyEventStream
from databroker.documents.document import (
    Datum,
    DatumPage,
    Descriptor,
    Document,
    Event,
    EventPage,
    Resource,
    Start,
    Stop,
    StreamDatum,
    StreamResource,
)
from databroker.errors import NotMutable, PartitionIndexError
from databroker.reading.external import coerce_dask, discover_handlers, parse_handler_registry
from databroker.reading.transforms import parse_transforms

if TYPE_CHECKING:
    from databroker.catalogs.legacy import (
        DocumentCache,
        Entry,
        StreamEntry,
        _concat_dataarray_pages,  # noqa: F401 - private here, and used by drivers all the same
        _dataarray_page_to_dataset_page,  # noqa: F401
        _event_page_to_dataarray_page,  # noqa: F401
        _interlace_event_page_chunks,  # noqa: F401
    )

for _name in (BlueskyEventStream, BlueskyRun, BlueskyRunFromGenerator, SingleRunCache):
    _name.__module__ = __name__  # reprs, tracebacks and pickles name the public place

__all__ = [
    "BlueskyEventStream",
    "BlueskyRun",
    "BlueskyRunFromGenerator",
    "Datum",
    "DatumPage",
    "Descriptor",
    "Document",
    "DocumentCache",
    "Entry",
    "Event",
    "EventPage",
    "NotMutable",
    "PartitionIndexError",
    "Resource",
    "SingleRunCache",
    "Start",
    "Stop",
    "StreamDatum",
    "StreamEntry",
    "StreamResource",
    "coerce_dask",
    "discover_handlers",
    "parse_handler_registry",
    "parse_transforms",
    "retry",
    "to_datum_pages",
    "to_event_pages",
]

_FOR_DRIVERS = frozenset(
    {
        "DocumentCache",
        "Entry",
        "StreamEntry",
        "_concat_dataarray_pages",
        "_dataarray_page_to_dataset_page",
        "_event_page_to_dataarray_page",
        "_interlace_event_page_chunks",
    }
)


def __getattr__(name: str) -> Any:
    if name in _FOR_DRIVERS:
        from databroker.catalogs import legacy  # imports event_model

        return getattr(legacy, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_FOR_DRIVERS})
