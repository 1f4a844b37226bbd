"""A Run: its metadata, its streams, its documents."""

import functools
import keyword
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from databroker.catalogs import display
from databroker.catalogs.entry import Entries, RunStreamEntry, description
from databroker.catalogs.intake import Catalog
from databroker.catalogs.settings import Settings
from databroker.catalogs.stream import BlueskyEventStream
from databroker.documents.document import Descriptor, Start, Stop, stream_of
from databroker.errors import InvalidSettingError, StreamNotFoundError
from databroker.reading.external import GetFiller, filled
from databroker.reading.replay import Named, documents
from databroker.reading.transforms import Transforms, parse_transforms, transformed, unchanged
from databroker.stores.callables import CallableStore
from databroker.stores.protocol import JSONDocument, RunStore

if TYPE_CHECKING:
    from databroker.catalogs.broker import Broker

COERCIONS: dict[str, str | None] = {"yes": "force_numpy", "no": None, "delayed": "delayed"}
"""What each way to fill means to event-model."""


class BlueskyRun(Catalog):
    """One Run of an experiment: a catalog of its streams.

    Parameters
    ----------
    get_run_start, get_run_stop : callable
        Return the Run Start; the Run Stop, or None while there is none.
    get_event_descriptors : callable
        Returns the Event Descriptors.
    get_event_pages : callable
        Takes the uid of a descriptor; returns its Event Pages.
    get_event_count : callable
        Takes the uid of a descriptor; returns the number of its Events.
    get_resource, get_resources : callable
        The first takes the uid of a Resource; the second returns all of them.
    lookup_resource_for_datum : callable
        Takes a datum_id; returns the uid of its Resource.
    get_datum_pages : callable
        Takes the uid of a Resource; returns its Datum Pages.
    get_filler : callable
        Takes `coerce`; returns a Filler.
    entry : optional
        The entry of the catalog that this Run comes from.
    transforms : dict, optional
        Functions that patch documents on their way out, by kind of document.
    **kwargs
        What intake's Catalog takes: name, description, metadata, …

    Examples
    --------
    >>> from databroker.testing.documents import simple_run
    >>> import databroker
    >>> catalog = databroker.open("memory:")
    >>> for name, doc in simple_run(events=3):
    ...     catalog.insert(name, doc)
    >>> run = catalog[-1]
    >>> list(run)
    ['primary']
    >>> run.primary.read().sizes["time"]
    3
    """

    container = "bluesky-run"
    PARTITION_SIZE = 100
    pmode = "never"
    partition_access = True

    def __init__(
        self,
        get_run_start: Callable[[], JSONDocument],
        get_run_stop: Callable[[], JSONDocument | None],
        get_event_descriptors: Callable[[], Any],
        get_event_pages: Callable[..., Any],
        get_event_count: Callable[[str], int],
        get_resource: Callable[[str], JSONDocument],
        get_resources: Callable[[], Any],
        lookup_resource_for_datum: Callable[[str], str],
        get_datum_pages: Callable[..., Any],
        get_filler: GetFiller,
        entry: Any = None,
        transforms: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        store = CallableStore(
            get_run_start,
            get_run_stop,
            get_event_descriptors,
            get_event_pages,
            get_event_count,
            get_resource,
            get_resources,
            lookup_resource_for_datum,
            get_datum_pages,
        )
        self._set_up(store, store.uid, get_filler, parse_transforms(transforms))
        super().__init__(**kwargs)
        self._entry = entry

    def _set_up(
        self, store: RunStore, uid: str, get_filler: GetFiller, transforms: Transforms
    ) -> None:
        self._store = store
        self._uid = uid
        self._get_filler = get_filler
        self._transforms = transforms
        self._own_metadata: dict[str, Any] = {}
        self._broker: Broker | None = None
        self._streams: dict[str, BlueskyEventStream] = {}

    @classmethod
    def _of(cls, store: RunStore, uid: str, settings: Settings) -> "BlueskyRun":
        """Return a Run of a store; what intake's constructor would set is set by hand, fast."""
        run = cls.__new__(cls)
        run._set_up(store, uid, settings.get_filler, settings.transforms)
        run.__dict__.update(
            name=uid,
            description=None,
            ttl=None,
            getenv=True,
            getshell=False,
            storage_options=None,
            user_parameters={},
            updated=0.0,
            _entry=None,
        )
        run._entries = run._make_entries_container()
        return run

    def _make_entries_container(self) -> Entries:
        return Entries(self, RunStreamEntry, "bluesky-event-stream")

    # Metadata

    @property
    def metadata(self) -> dict[str, Any]:
        """The Run Start and the Run Stop, which is None while the Run goes on."""
        stop = self._store.run_stops([self._uid])[0]
        return {
            **self._own_metadata,
            "start": self.start,
            "stop": None if stop is None else transformed("stop", stop, self._transforms),
        }

    @metadata.setter
    def metadata(self, value: Mapping[str, Any]) -> None:
        self._own_metadata = dict(value)

    @property
    def start(self) -> Start:
        """The Run Start."""
        return transformed("start", self._store.run_starts([self._uid])[0], self._transforms)

    @property
    def stop(self) -> Stop | None:
        """The Run Stop, None while there is none."""
        return self.metadata["stop"]

    @property
    def uid(self) -> str:
        """The uid of the Run."""
        return self._uid

    def describe(self) -> dict[str, Any]:
        """Return what intake shows of a Run; its ``metadata`` are the Run Start and Run Stop."""
        metadata = {name: self.metadata[name] for name in ("start", "stop")}
        return description(self.name, self.container, "catalog", metadata)

    def discover(self) -> dict[str, Any]:
        """Return what intake asks a source first."""
        return {
            "container": self.container,
            "dtype": None,
            "shape": self.shape,
            "npartitions": self.npartitions,
            "metadata": self.metadata,
        }

    # Streams

    def __iter__(self) -> Iterator[str]:
        return iter(self._stream_names())

    def __len__(self) -> int:
        return len(self._stream_names())

    def __contains__(self, name: object) -> bool:
        return name in self._stream_names()

    def keys(self) -> Iterator[str]:
        """Return the names of the streams."""
        return iter(self)

    def values(self) -> Iterator[BlueskyEventStream]:
        """Return the streams."""
        return (self[name] for name in self)

    def items(self) -> Iterator[tuple[str, BlueskyEventStream]]:
        """Return the names of the streams, and the streams."""
        return ((name, self[name]) for name in self)

    def __getitem__(self, key: Any) -> Any:
        name, *inner = key if isinstance(key, tuple) else (key,)
        names = self._stream_names()
        if name not in names:
            raise StreamNotFoundError(
                f"The Run {self._uid} has no stream {name!r}; "
                f"its streams are: {', '.join(names) or 'none'}."
            )
        stream = self._streams.get(name)
        if stream is None:
            stream = self._streams[name] = BlueskyEventStream._of(self, name)
        for step in inner:
            stream = stream[step]
        return stream

    def _stream_names(self) -> list[str]:
        if self._transforms["descriptor"] is unchanged:
            return self._store.stream_names(self._uid)
        return list(dict.fromkeys(map(stream_of, self._descriptors)))

    @property
    def _descriptors(self) -> list[Descriptor]:
        """The Event Descriptors of all streams."""
        descriptors = self._store.descriptors(self._uid)
        return [transformed("descriptor", d, self._transforms) for d in descriptors]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or "_store" not in self.__dict__:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        try:
            return self[name]
        except StreamNotFoundError as error:
            raise AttributeError(f"A Run has no attribute {name!r}. {error}") from None

    def __dir__(self) -> list[str]:
        names = (name for name in self if name.isidentifier() and not keyword.iskeyword(name))
        return sorted({*object.__dir__(self), *names})

    def _ipython_key_completions_(self) -> list[str]:
        return list(self)

    # Documents

    def documents(self, *, fill: str, strict_order: bool = True) -> Iterator[Named]:
        """Yield the documents of the Run as ``(name, document)``.

        Parameters
        ----------
        fill : {'yes', 'no', 'delayed'}
            What to do with external data: put them in place of the datum_ids, leave the
            datum_ids, or put dask arrays there.
        strict_order : bool
            Each Event is an Event Page of its own, ordered by time over all streams. Otherwise
            pages are large, and one stream follows the other.

        Raises
        ------
        ValueError
            `fill` is something else.
        """
        if not isinstance(fill, str) or fill not in COERCIONS:
            raise InvalidSettingError(
                f"Invalid fill option: {fill!r}, fill must be: 'yes', 'no' or 'delayed'."
            )
        replayed = documents(self._store, self._uid, self._transforms, one_row_pages=strict_order)
        if fill == "no":
            return replayed
        return filled(replayed, self._get_filler, COERCIONS[fill])

    def canonical(self, *, fill: str, strict_order: bool = True) -> Iterator[Named]:
        """Yield the documents; the old name of `documents`."""
        _warn_of_old_name("canonical(...)", "documents(...)")
        return self.documents(fill=fill, strict_order=strict_order)

    def read_canonical(self) -> Iterator[Named]:
        """Yield the documents, filled; an old name of `documents`."""
        _warn_of_old_name("read_canonical()", "documents(fill='yes')")
        return self.documents(fill="yes")

    def get_file_list(self, resource: Any) -> list[str]:
        """Return the files of a Resource, as its handler tells them."""
        filler = self._get_filler(coerce=None)
        with filler:
            handler = filler.get_handler(resource)
            datums = self._store.datums(self._uid, resource["uid"])
            columns = {
                name: datums.columns["datum_kwargs", name].to_pylist()
                for name in datums.names("datum_kwargs")
            }
            kwargs = ({name: column[row] for name, column in columns.items()}
                      for row in range(datums.count))  # fmt: skip
            return list(handler.get_file_list(kwargs))

    # What a Run is not

    def read(self) -> NoReturn:
        """Raise: a Run is read by its streams."""
        raise NotImplementedError(
            "A Run is read by its streams: "
            f"{', '.join(f'run[{name!r}].read()' for name in self) or 'but this one has none'}."
        )

    to_dask = read

    def persist(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Raise: Runs are not persisted by intake."""
        raise NotImplementedError("A Run is in a store already; copy it with insert instead.")

    def get_persisted(self) -> NoReturn:
        """Raise: Runs are not persisted by intake."""
        raise KeyError("This Run has not been persisted.")

    is_persisted = has_been_persisted = False

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of streams."""
        return (len(self),)

    npartitions = 1

    def _load(self) -> None:
        """Do nothing: documents are read when they are asked for."""

    def _get_schema(self) -> NoReturn:
        raise NotImplementedError

    def _load_metadata(self) -> None:
        """Do nothing: metadata are always there."""

    def close(self) -> None:
        """Do nothing: the store belongs to the catalog."""

    _close = close

    # Altered copies

    def configure_new(self, **kwargs: Any) -> "BlueskyRun":
        """Return this Run, or one with altered arguments of its constructor."""
        if not kwargs:
            return self
        if isinstance(self._store, CallableStore):
            known = self._captured_init_kwargs
            return type(self)(*self._captured_init_args, **{**known, **kwargs})
        return self._altered(**kwargs)

    def _altered(
        self,
        *,
        transforms: Mapping[str, Any] | None = None,
        get_filler: GetFiller | None = None,
        metadata: Mapping[str, Any] | None = None,
        name: str | None = None,
    ) -> "BlueskyRun":
        altered = type(self)._of(self._store, self._uid, Settings())
        altered._get_filler = get_filler or self._get_filler
        altered._transforms = (
            self._transforms if transforms is None else parse_transforms(transforms)
        )
        altered._own_metadata = dict(self._own_metadata if metadata is None else metadata)
        altered.name = name or self.name
        return altered

    __call__ = configure_new

    def get(self, *name: Any, **kwargs: Any) -> Any:
        """Return the Run itself, as intake has it; with ``(name, default)``, a stream.

        Parameters
        ----------
        *name
            The stream, and what to return if there is none of this name.
        **kwargs
            As in `configure_new`.
        """
        if not name:
            return self.configure_new(**kwargs)
        return self[name[0]] if name[0] in self else (name[1] if len(name) > 1 else None)

    def search(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Raise: catalogs are searched."""
        raise NotImplementedError("A Run is not searched; search its catalog.")

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, BlueskyRun)
            and self._uid == other._uid
            and self._store is other._store
        )

    def __hash__(self) -> int:
        return hash(self._uid)

    def __reduce__(self) -> tuple[Any, ...]:
        if self._broker is not None:
            return _run_of, (self._broker, self._uid)
        if isinstance(self._store, CallableStore):
            new = functools.partial(type(self), **self._captured_init_kwargs)
            return new, tuple(self._captured_init_args)
        parts = (self._store, self._uid, self._get_filler, self._transforms)
        return _run_of_parts, (type(self), *parts, self._own_metadata, self.name)

    # Representations

    def __repr__(self) -> str:
        return f"<{type(self).__name__} uid={self._uid!r}>"

    def __str__(self) -> str:
        return display.run_text(self)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self) if cycle else display.run_text(self))

    def _repr_html_(self) -> str:
        return display.run_html(self)

    _ipython_display_ = None  # intake's would print YAML

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {}


def _run_of(broker: "Broker", uid: str) -> BlueskyRun:
    return broker[uid]


def _run_of_parts(
    cls: type[BlueskyRun],
    store: RunStore,
    uid: str,
    get_filler: GetFiller,
    transforms: Transforms,
    metadata: Mapping[str, Any],
    name: str,
) -> BlueskyRun:
    run = cls._of(store, uid, Settings())
    return run._altered(get_filler=get_filler, transforms=transforms, metadata=metadata, name=name)


def _warn_of_old_name(old: str, new: str) -> None:
    import warnings

    warnings.warn(f"{old} is an old name; use {new}.", UserWarning, stacklevel=3)
