"""Runs, streams and documents: the documented names of ``databroker.core``."""

from databroker.catalogs.caches import (
    BlueskyRunFromGenerator,
    SingleRunCache,
    retry,
    to_datum_pages,
    to_event_pages,
)
from databroker.catalogs.entry import Entry, StreamEntry
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
from databroker.reading.external import discover_handlers, parse_handler_registry
from databroker.reading.transforms import parse_transforms

__all__ = [
    "BlueskyEventStream",
    "BlueskyRun",
    "BlueskyRunFromGenerator",
    "Datum",
    "DatumPage",
    "Descriptor",
    "Document",
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
    "discover_handlers",
    "parse_handler_registry",
    "parse_transforms",
    "retry",
    "to_datum_pages",
    "to_event_pages",
]
