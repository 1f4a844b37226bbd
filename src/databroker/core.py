"""Runs, streams and documents: the documented names of ``databroker.core``."""

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
    "Event",
    "EventPage",
    "NotMutable",
    "PartitionIndexError",
    "Resource",
    "SingleRunCache",
    "Start",
    "Stop",
    "StreamDatum",
    "StreamResource",
    "coerce_dask",
    "discover_handlers",
    "parse_handler_registry",
    "parse_transforms",
    "retry",
    "to_datum_pages",
    "to_event_pages",
]
