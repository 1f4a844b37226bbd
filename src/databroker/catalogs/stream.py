"""A stream: the Events of one name, as labeled arrays."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from databroker.catalogs import display
from databroker.catalogs.entry import description
from databroker.catalogs.intake import DataSource
from databroker.documents.columns import Column
from databroker.documents.descriptors import configuration_of, devices_of, merged_data_keys
from databroker.documents.document import Descriptor, stream_of
from databroker.errors import DataKeyNotFoundError, ExternalDataError, PartitionIndexError
from databroker.reading.dataset import (
    Frame,
    Selection,
    dataset,
    frame,
    lazy_dataset,
    variable_name,
)
from databroker.reading.external import GetFiller, filled_column
from databroker.reading.transforms import Transforms, parse_transforms, transformed
from databroker.stores.callables import CallableStore
from databroker.stores.protocol import JSONDocument, RunStore

if TYPE_CHECKING:
    import xarray

    from databroker.catalogs.run import BlueskyRun

GROUPS = ("data", "timestamps", "config", "config_timestamps")


class BlueskyEventStream(DataSource):
    """One stream of a Run: rows of readings, and the configuration of its devices.

    Parameters
    ----------
    stream_name : str
        Such as 'primary'.
    get_run_stop, get_event_descriptors, get_event_pages, get_event_count, get_resources, \
get_resource, lookup_resource_for_datum, get_datum_pages : callable
        See `BlueskyRun`.
    fillers : dict
        A Filler, or a function that takes `coerce` and returns one, for 'yes', 'no' and 'delayed'.
    transforms : dict, optional
        Functions that patch documents on their way out, by kind of document.
    metadata : dict
        With the Run Start as 'start', and the Run Stop as 'stop'.
    entry : optional
        The entry of the catalog that this stream comes from.
    include, exclude : list of str, optional
        Data keys: only these, or all but these.
    sub_dict : {'data', 'timestamps'}
        The readings, or when each was taken.
    configuration_for : str, optional
        Read the configuration of this device instead of the Events.

    Examples
    --------
    >>> from databroker.testing.documents import simple_run
    >>> import databroker
    >>> catalog = databroker.open("memory:")
    >>> for name, doc in simple_run(events=3):
    ...     catalog.insert(name, doc)
    >>> catalog[-1].primary.read().sizes["time"]
    3
    """

    container = "bluesky-event-stream"
    partition_access = True
    version = "1"
    name = None

    def __init__(
        self,
        stream_name: str,
        get_run_stop: Callable[[], JSONDocument | None],
        get_event_descriptors: Callable[[], Any],
        get_event_pages: Callable[..., Any],
        get_event_count: Callable[[str], int],
        get_resources: Callable[[], Any],
        get_resource: Callable[[str], JSONDocument],
        lookup_resource_for_datum: Callable[[str], str],
        get_datum_pages: Callable[..., Any],
        fillers: Mapping[str, Any],
        transforms: Mapping[str, Any] | None,
        metadata: Mapping[str, Any],
        entry: Any = None,
        include: Collection[str] | None = None,
        exclude: Collection[str] | None = None,
        sub_dict: str = "data",
        configuration_for: str | None = None,
        **kwargs: Any,
    ) -> None:
        start = dict(metadata["start"])
        store = CallableStore(
            lambda: start,
            get_run_stop,
            get_event_descriptors,
            get_event_pages,
            get_event_count,
            get_resource,
            get_resources,
            lookup_resource_for_datum,
            get_datum_pages,
        )
        selection = Selection(include, exclude, sub_dict, configuration_for)
        get_filler = partial(_filler_of, fillers)
        self._set_up(
            store, start["uid"], stream_name, selection, get_filler, parse_transforms(transforms)
        )
        super().__init__(metadata=dict(metadata), **kwargs)  # asks for metadata
        self._entry = entry

    def _set_up(
        self,
        store: RunStore,
        uid: str,
        stream_name: str,
        selection: Selection,
        get_filler: GetFiller,
        transforms: Transforms,
    ) -> None:
        self._store = store
        self._uid = uid
        self.name = self._stream_name = stream_name
        self._selection = selection
        self._get_filler = get_filler
        self._transforms = transforms

    @classmethod
    def _of(cls, run: "BlueskyRun", name: str) -> "BlueskyEventStream":
        """Return a stream of a Run."""
        stream = cls.__new__(cls)
        stream._run = stream.cat = run
        stream._set_up(run._store, run._uid, name, Selection(), run._get_filler, run._transforms)
        return stream

    _run: "BlueskyRun | None" = None

    # Metadata

    @property
    def _descriptors(self) -> list[Descriptor]:
        return [
            descriptor
            for stored in self._store.descriptors(self._uid)
            if stream_of(descriptor := transformed("descriptor", stored, self._transforms))
            == self._stream_name
        ]

    @property
    def descriptors(self) -> list[Descriptor]:
        """The Event Descriptors of this stream, in order of arrival."""
        return self._descriptors

    @property
    def metadata(self) -> dict[str, Any]:
        """The Run Start, the Run Stop, and the descriptors of the stream."""
        stop = self._store.run_stops([self._uid])[0]
        return {
            "start": transformed("start", self._store.run_starts([self._uid])[0], self._transforms),
            "stop": None if stop is None else transformed("stop", stop, self._transforms),
            "descriptors": self._descriptors,
        }

    @metadata.setter
    def metadata(self, value: Mapping[str, Any]) -> None:
        """Ignore what intake writes: the store tells."""

    def describe(self) -> dict[str, Any]:
        """Return what intake shows of a stream."""
        metadata = {name: self.metadata[name] for name in ("start", "stop")}
        return description(self.name, self.container, None, metadata)

    def discover(self) -> dict[str, Any]:
        """Return what intake asks a source first."""
        return {"dtype": None, "shape": self.shape, "npartitions": 1, "metadata": self.metadata}

    @property
    def shape(self) -> tuple[int]:  # type: ignore[override]
        """The number of Events."""
        return (sum(self._store.event_count(self._uid, d["uid"]) for d in self._descriptors),)

    npartitions = 1

    # Data

    def read(self, variables: Collection[str] | None = None) -> "xarray.Dataset":
        """Return the stream as an xarray Dataset in memory.

        Parameters
        ----------
        variables : list of str, optional
            Data keys; only these.

        Returns
        -------
        xarray.Dataset
            A variable for each data key along the dimension ``time``, whose coordinate is the
            time of each Event in seconds since 1970 (UTC).

        Raises
        ------
        databroker.errors.DataKeyNotFoundError
            A variable is not in the stream.
        """
        return dataset(self._frame(variables))

    def to_dask(self) -> "xarray.Dataset":
        """Return the stream as an xarray Dataset of dask arrays."""
        return lazy_dataset(self._frame())

    def read_chunked(self) -> "xarray.Dataset":
        """Return what `to_dask` returns: its dask arrays are chunked."""
        return self.to_dask()

    def _frame(self, variables: Collection[str] | None = None) -> Frame:
        descriptors = self._descriptors
        selection = self._selection
        if variables is not None:
            wanted = [variables] if isinstance(variables, str) else list(variables)
            known = self._data_keys(descriptors)
            for name in wanted:
                if name not in known:
                    raise self._not_found(name, known)
            if not wanted:
                return Frame(
                    frame(self._store, self._uid, descriptors, selection, self._external).times
                )
            selection = replace(selection, include=wanted, exclude=None)
        return frame(self._store, self._uid, descriptors, selection, self._external)

    def _external(self, descriptor: JSONDocument, key: str) -> Column:
        return filled_column(
            self._store, self._uid, self._transforms, self._get_filler, descriptor, key
        )

    def _data_keys(self, descriptors: list[Descriptor]) -> list[str]:
        device = self._selection.device
        if device is None:
            names = merged_data_keys(descriptors)
        else:
            names = merged_data_keys(configuration_of(d, device) for d in descriptors)
        return self._selection.of(list(names))

    def _not_found(self, name: Any, known: Collection[str]) -> DataKeyNotFoundError:
        return DataKeyNotFoundError(
            f"The stream {self._stream_name!r} of the Run {self._uid} has no data key {name!r}; "
            f"it has: {', '.join(known) or 'none'}."
        )

    def read_partition(self, partition: int) -> "xarray.Dataset":
        """Return the whole stream: it is one partition."""
        if partition != 0:
            raise PartitionIndexError(f"A stream has one partition, number 0, not {partition}.")
        return self.read()

    # Parts

    @property
    def timestamps(self) -> "BlueskyEventStream":
        """The same stream, with the times of the readings in place of the readings."""
        return self._selected(replace(self._selection, group="timestamps"))

    @property
    def config(self) -> "DeviceConfigurations":
        """The configuration of each device, by name."""
        return DeviceConfigurations(self, "data")

    @property
    def config_timestamps(self) -> "DeviceConfigurations":
        """When the configuration of each device was read, by name."""
        return DeviceConfigurations(self, "timestamps")

    def __getitem__(self, key: str) -> Any:
        """Return a data key as a lazy DataArray, or one of the parts by its name.

        ``stream["x"]`` is lazy; ``stream["data"]``, ``stream["timestamps"]``, ``stream["config"]``
        and ``stream["config_timestamps"]`` are streams again.
        """
        match key:
            case "data":
                return self._selected(replace(self._selection, group="data"))
            case "timestamps" | "config" | "config_timestamps":
                return getattr(self, key)
        read = self._frame([key])
        if key not in read.variables:
            raise ExternalDataError(
                f"The data of {key!r}, in the stream {self._stream_name!r} of the Run {self._uid}, "
                "are in files that cannot be read: a warning says why, unless they come by Stream "
                "Datums, for which there are no readers."
            )
        return lazy_dataset(read)[variable_name(key, read.variables)]

    def __iter__(self) -> Iterator[str]:
        return iter(self._data_keys(self._descriptors))

    def __len__(self) -> int:
        return len(self._data_keys(self._descriptors))

    def __bool__(self) -> bool:
        return True

    def __contains__(self, name: object) -> bool:
        return name in list(self)

    def keys(self) -> Iterator[str]:
        """Return the data keys."""
        return iter(self)

    def _ipython_key_completions_(self) -> list[str]:
        return [*self, *GROUPS]

    # Altered copies

    def _selected(self, selection: Selection) -> "BlueskyEventStream":
        stream = type(self).__new__(type(self))
        stream.__dict__.update(self.__dict__)
        stream._selection = selection
        return stream

    def configure_new(
        self,
        *,
        include: Collection[str] | None = None,
        exclude: Collection[str] | None = None,
        sub_dict: str | None = None,
        configuration_for: str | None = None,
    ) -> "BlueskyEventStream":
        """Return the same stream, reading another part of it.

        Parameters
        ----------
        include, exclude : list of str, optional
            Data keys: only these, or all but these.
        sub_dict : {'data', 'timestamps'}, optional
            The readings, or when each was taken.
        configuration_for : str, optional
            Read the configuration of this device instead of the Events.
        """
        if include is exclude is sub_dict is configuration_for is None:
            return self
        now = self._selection
        return self._selected(
            Selection(
                now.include if include is None else include,
                now.exclude if exclude is None else exclude,
                now.group if sub_dict is None else sub_dict,
                now.device if configuration_for is None else configuration_for,
            )
        )

    __call__ = get = configure_new

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, BlueskyEventStream)
            and self._store is other._store
            and (self._uid, self._stream_name, self._selection)
            == (other._uid, other._stream_name, other._selection)
        )

    def __hash__(self) -> int:
        return hash((self._uid, self._stream_name))

    def __reduce__(self) -> tuple[Any, ...]:
        if self._run is not None:
            return _stream_of, (self._run, self._stream_name, self._selection)
        new = partial(type(self), **self._captured_init_kwargs)
        return new, tuple(self._captured_init_args)

    def _close(self) -> None:
        """Do nothing: the store belongs to the catalog."""

    def _load_metadata(self) -> None:
        """Do nothing: metadata are always there."""

    # Representations

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._stream_name!r} from Run {self._uid[:8]}...>"

    def __str__(self) -> str:
        return display.stream_text(self)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self) if cycle else display.stream_text(self))

    def _repr_html_(self) -> str:
        return display.stream_html(self)

    _ipython_display_ = None

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {}


class DeviceConfigurations(Mapping[str, BlueskyEventStream]):
    """The configuration of the devices of a stream: each one a stream of its own.

    Parameters
    ----------
    stream : BlueskyEventStream
        Whose devices.
    group : {'data', 'timestamps'}
        The settings, or when each was read.
    """

    def __init__(self, stream: BlueskyEventStream, group: str) -> None:
        self._stream = stream
        self._group = group

    def __getitem__(self, device: str) -> BlueskyEventStream:
        if device not in list(self):
            raise DataKeyNotFoundError(
                f"The stream {self._stream._stream_name!r} has no device {device!r}; "
                f"it has: {', '.join(self) or 'none'}."
            )
        return self._stream._selected(Selection(group=self._group, device=device))

    def __iter__(self) -> Iterator[str]:
        return iter(devices_of(self._stream._descriptors))

    def __len__(self) -> int:
        return len(devices_of(self._stream._descriptors))

    def __getattr__(self, name: str) -> BlueskyEventStream:
        if not name.startswith("_") and name in self:
            return self[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __dir__(self) -> list[str]:
        return sorted({*object.__dir__(self), *filter(str.isidentifier, self)})

    def _ipython_key_completions_(self) -> list[str]:
        return list(self)

    def __repr__(self) -> str:
        what = "Configuration" if self._group == "data" else "Configuration timestamps"
        return f"<{what} of {', '.join(self) or 'no devices'}>"


def _filler_of(fillers: Mapping[str, Any], coerce: str | None = None) -> Any:
    """Return the Filler that belongs to a coercion."""
    filler = fillers["delayed" if coerce == "delayed" else "yes"]
    return filler if hasattr(filler, "__enter__") else filler(coerce=coerce)


def _stream_of(run: "BlueskyRun", name: str, selection: Selection) -> BlueskyEventStream:
    return run[name]._selected(selection)
