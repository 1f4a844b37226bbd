"""What drivers written for databroker 1.x build on: entries, a cache of documents, and pages."""

import heapq
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import event_model

from databroker.catalogs.intake import LocalCatalogEntry

if TYPE_CHECKING:
    import xarray

Page: TypeAlias = dict[str, Any]
"""An Event Page, whose columns may be lists, DataArrays or, as a whole, a Dataset."""

COLUMN_GROUPS = ("data", "timestamps", "filled")
ROW_LISTS = ("seq_num", "time", "uid")


class Entry(LocalCatalogEntry):
    """A thing in a catalog that is opened when the entry is called.

    Calling it twice with the same arguments gives the very same data source. It keeps the ten
    that were used last, until `cache_clear`. The data source is told its entry as ``entry``.

    Parameters
    ----------
    **kwargs
        Those of ``intake.catalog.local.LocalCatalogEntry``: ``name``, ``description``, ``driver``,
        ``direct_access``, ``args``, ``metadata``, ``catalog`` and so on.
    """

    __module__ = "databroker.core"
    _kept: ClassVar[int | None] = 10

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._sources: dict[str, Any] = {}

    @property
    def catalog(self) -> Any:
        """The catalog that it is in, None if it is in none."""
        return self._catalog

    def get(self, **kwargs: Any) -> Any:
        """Return the data source, the same for the same arguments.

        Parameters
        ----------
        **kwargs
            What is to replace ``args`` of the entry, by name.
        """
        from dask.base import tokenize

        key = tokenize(kwargs)
        source = self._sources.pop(key, None)
        if source is None:
            source = super().get(**kwargs)
        self._sources[key] = source  # the last one is the one used last
        if self._kept is not None and len(self._sources) > self._kept:
            del self._sources[next(iter(self._sources))]
        return source

    def cache_clear(self) -> None:
        """Forget the data sources: the next call makes a new one."""
        self._sources.clear()
        self.clear_cached_default_source()

    def _create_open_args(self, user_parameters: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        plugin, arguments = super()._create_open_args(user_parameters)
        return plugin, {**arguments, "entry": self}


class StreamEntry(Entry):
    """A stream in a Run: an `Entry` that keeps all its data sources."""

    __module__ = "databroker.core"
    _kept = None


class DocumentCache(event_model.DocumentRouter):
    """Receives the documents of one Run and keeps them: ``cache(name, doc)``.

    Attributes
    ----------
    start_doc, stop_doc : dict or None
        The Run Start and the Run Stop.
    descriptors, resources : dict
        Event Descriptors and Resources by uid.
    event_pages : dict
        Lists of Event Pages by the uid of their Event Descriptor; an Event is a page of one row.
    datum_pages_by_resource : dict
        Lists of Datum Pages by the uid of their Resource; a Datum is a page of one row.
    resource_uid_by_datum_id : dict
        The uid of the Resource of each Datum.
    """

    __module__ = "databroker.core"

    def __init__(self) -> None:
        super().__init__()
        self.descriptors: dict[str, Any] = {}
        self.resources: dict[str, Any] = {}
        self.event_pages: dict[str, list[Any]] = defaultdict(list)
        self.datum_pages_by_resource: dict[str, list[Any]] = defaultdict(list)
        self.resource_uid_by_datum_id: dict[str, str] = {}
        self.start_doc: Any = None
        self.stop_doc: Any = None

    def start(self, doc: Any) -> None:
        self.start_doc = doc

    def stop(self, doc: Any) -> None:
        self.stop_doc = doc

    def descriptor(self, doc: Any) -> None:
        self.descriptors[doc["uid"]] = doc

    def resource(self, doc: Any) -> None:
        self.resources[doc["uid"]] = doc

    def event_page(self, doc: Any) -> Any:
        self.event_pages[doc["descriptor"]].append(doc)
        return doc

    def datum_page(self, doc: Any) -> None:
        self.datum_pages_by_resource[doc["resource"]].append(doc)
        self.resource_uid_by_datum_id |= dict.fromkeys(doc["datum_id"], doc["resource"])


def _interlace_event_page_chunks(*gens: Iterable[Any], chunk_size: int) -> Iterator[Any]:
    """Yield the Event Pages of several streams in order of time, cut to a size.

    Pages are ordered by the time of their first Event, then by its uid.

    Parameters
    ----------
    *gens : iterable of Event Page
        Those of one Event Descriptor each, in order of time.
    chunk_size : int
        How many Events a page has; the last one of a stream may have fewer.

    Examples
    --------
    >>> def page(*times):
    ...     uids = [f"at {time}" for time in times]
    ...     data = dict.fromkeys(("data", "timestamps", "filled"), {})
    ...     return dict(descriptor="d", time=list(times), uid=uids, seq_num=list(times), **data)
    >>> pages = _interlace_event_page_chunks([page(1, 3, 5)], [page(2, 4)], chunk_size=2)
    >>> [page["time"] for page in pages]
    [[1, 3], [2, 4], [5]]
    """
    chunks = [event_model.rechunk_event_pages(iter(gen), chunk_size) for gen in gens]
    return heapq.merge(*chunks, key=_first_row)


def _first_row(page: Mapping[str, Any]) -> tuple[Any, Any]:
    return page["time"][0], page["uid"][0]


def _event_page_to_dataarray_page(
    event_page: Mapping[str, Any],
    dims: Sequence[str] | None = None,
    coords: Mapping[str, Any] | None = None,
) -> Page:
    """Return an Event Page whose columns are DataArrays.

    Parameters
    ----------
    event_page : dict
        Its columns have one value for each Event.
    dims : sequence of str, optional
        The dimensions of every column; ``("time",)`` if not given.
    coords : dict, optional
        The coordinates of every column; the times of the Events if not given.

    Examples
    --------
    >>> page = {"descriptor": "d", "time": [1.0, 2.0], "uid": ["e1", "e2"], "seq_num": [1, 2],
    ...         "data": {"x": [3, 4]}, "timestamps": {"x": [1.0, 2.0]}, "filled": {}}
    >>> _event_page_to_dataarray_page(page)["data"]["x"].sel(time=2.0).item()
    4
    """
    import xarray

    dims = ("time",) if dims is None else tuple(dims)
    coords = {"time": event_page["time"]} if coords is None else coords

    def arrays(columns: Mapping[str, Any]) -> dict[str, xarray.DataArray]:
        return {
            key: xarray.DataArray(values, dims=dims, coords=coords, name=key)
            for key, values in columns.items()
        }

    return _page(
        event_page["descriptor"],
        {name: event_page[name] for name in ROW_LISTS},
        {group: arrays(event_page[group]) for group in COLUMN_GROUPS},
    )


def _concat_dataarray_pages(dataarray_pages: Sequence[Page]) -> Page:
    """Return several pages of DataArrays as one.

    The columns are stacked along a new dimension ``concat_dim``, one place for each page; where
    pages have different coordinates, there is NaN for what a page lacks.

    Parameters
    ----------
    dataarray_pages : sequence of dict
        Of one Event Descriptor, as `_event_page_to_dataarray_page` makes them; at least one. A
        single page is returned as it is.
    """
    import xarray

    first = dataarray_pages[0]
    if len(dataarray_pages) == 1:
        return first

    def stacked(group: str, key: str) -> "xarray.DataArray":
        columns: list[xarray.DataArray] = [page[group][key] for page in dataarray_pages]
        # xarray is about to change what it does if it is not told.
        return xarray.concat(
            columns, dim="concat_dim", join="outer", coords="different", compat="equals"
        )

    return _page(
        first["descriptor"],
        {name: [row for page in dataarray_pages for row in page[name]] for name in ROW_LISTS},
        {group: {key: stacked(group, key) for key in first[group]} for group in COLUMN_GROUPS},
    )


def _dataarray_page_to_dataset_page(dataarray_page: Mapping[str, Any]) -> Page:
    """Return a page of DataArrays whose data, timestamps and filled are a Dataset each.

    Parameters
    ----------
    dataarray_page : dict
        As `_event_page_to_dataarray_page` makes it.
    """
    import xarray

    return _page(
        dataarray_page["descriptor"],
        {name: dataarray_page[name] for name in ROW_LISTS},
        {group: xarray.Dataset(dataarray_page[group]) for group in COLUMN_GROUPS},
    )


def _page(descriptor: str, rows: Mapping[str, Any], columns: Mapping[str, Any]) -> Page:
    return {"descriptor": descriptor, **rows, **columns}
