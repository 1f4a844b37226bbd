"""A catalog of Runs."""

import functools
import operator
import weakref
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn, Self

from databroker.catalogs import display
from databroker.catalogs.entry import Entries, RunEntry, description
from databroker.catalogs.intake import Catalog
from databroker.catalogs.run import BlueskyRun
from databroker.catalogs.settings import Settings
from databroker.errors import (
    AmbiguousUidError,
    InvalidDocumentError,
    InvalidLookupError,
    InvalidSettingError,
    ReadOnlyStoreError,
    RunIndexError,
    RunNotFoundError,
    UnsupportedOperationError,
)
from databroker.search.parse import parse
from databroker.stores.memory import MemoryStore
from databroker.stores.protocol import Administers, Order, Problem, RunStore, Writes

if TYPE_CHECKING:
    from databroker.v1 import Broker as V1Broker

AT_A_TIME = 100
"""How many Runs are fetched together while a catalog is listed."""

LISTED = 10
"""How many uids an error names."""


class Broker(Catalog):
    """A catalog of Runs: insert documents, look Runs up, search them.

    Runs are looked up by uid, by the beginning of a uid, by scan_id (the newest one that has it)
    and by index from the end: ``catalog[-1]`` is the newest Run. A slice such as ``catalog[-5:]``
    or a list of any of these gives a list of Runs.

    Parameters
    ----------
    handler_registry : dict, optional
        The handler for each spec, or where to import it from. By default, the handlers that
        installed packages offer; ``{}`` means none.
    root_map : dict, optional
        What to replace the root of Resources by: ``{"/old/place": "/new/place"}``.
    filler_class : callable or str, optional
        Makes the Fillers that open external data; `event_model.Filler` by default.
    transforms : dict, optional
        Functions that patch documents on their way out, by kind of document: 'start', 'stop',
        'resource', 'descriptor'.
    store : RunStore, optional
        Where the Runs are; by default, in memory.
    **kwargs
        What intake's Catalog takes: name, description, metadata, …

    Examples
    --------
    >>> import databroker
    >>> from databroker.testing.documents import simple_run
    >>> catalog = databroker.open("memory:")
    >>> for name, doc in simple_run(scan_id=7):
    ...     catalog.insert(name, doc)
    >>> catalog[7].start["plan_name"]
    'scan'
    >>> len(catalog.search({"plan_name": "count"}))
    0
    """

    def __init__(
        self,
        *,
        handler_registry: Mapping[str, Any] | None = None,
        root_map: Mapping[str, str] | None = None,
        filler_class: Callable[..., Any] | str | None = None,
        transforms: Mapping[str, Any] | None = None,
        store: RunStore | None = None,
        **kwargs: Any,
    ) -> None:
        self._store: RunStore = MemoryStore() if store is None else store
        self._settings = Settings.of(handler_registry, root_map, filler_class, transforms)
        self._runs: weakref.WeakValueDictionary[str, BlueskyRun] = weakref.WeakValueDictionary()
        self._v1: V1Broker | None = None
        super().__init__(**kwargs)

    def _make_entries_container(self) -> Entries:
        return Entries(self, RunEntry, "bluesky-run")

    # Look-up

    def __getitem__(self, key: Any) -> Any:
        """Return a Run by uid, partial uid, scan_id or index from the end; lists by slice or list.

        Raises
        ------
        databroker.errors.RunNotFoundError
            No Run has this uid or scan_id.
        databroker.errors.RunIndexError
            There are fewer Runs.
        databroker.errors.AmbiguousUidError
            Several Runs have a uid that begins like this.
        """
        match key:
            case slice():
                return self._sliced(key)
            case list():
                return [self[item] for item in key]
            case (first, *rest) if isinstance(key, tuple):
                run = self[first]
                return run[tuple(rest)] if rest else run
            case _:
                return self._run(self._resolve(key))

    def _resolve(self, key: Any) -> str:
        """Return the uid of the Run that is meant."""
        if isinstance(key, str):
            return self._uid_of_text(key)
        try:
            number = operator.index(key)
        except TypeError:
            if not isinstance(key, float) or not key.is_integer():
                raise InvalidLookupError(
                    "A Run is looked up by uid (a text), by scan_id or by index (integers); "
                    f"got {key!r}."
                ) from None
            number = int(key)
        return self._uid_at(number) if number < 0 else self._uid_of_scan(number)

    def _uid_of_text(self, text: str) -> str:
        found = self._store.find(text, LISTED + 1)
        if text in found:
            return text
        if _is_integer(text):
            try:
                return self._resolve(int(text))
            except RunNotFoundError:
                if not found:
                    raise
        match found:
            case []:
                raise RunNotFoundError(
                    f"No Run has a uid that begins with {text!r} in {self!r} of {self._store.uri}."
                )
            case [uid]:
                return uid
            case _:
                uids = "\n".join(found[:LISTED])
                more = "\n…" if len(found) > LISTED else ""
                raise AmbiguousUidError(f"Multiple matches to partial uid {text!r}:\n{uids}{more}")

    def _uid_of_scan(self, scan_id: int) -> str:
        found = self._store.find(scan_id, 1)
        if not found:
            raise RunNotFoundError(
                f"No run with scan_id={scan_id} in {self!r} of {self._store.uri}. "
                "Indexes count from the end: -1 is the newest Run."
            )
        return found[0]

    def _uid_at(self, index: int) -> str:
        uids = self._store.uids(limit=-index)
        if len(uids) < -index:
            raise RunIndexError(f"Catalog only contains {len(uids)} runs.")
        return uids[-1]

    def _sliced(self, key: slice) -> list[BlueskyRun]:
        """Return Runs in order of time: ``catalog[-5:]`` are the last five."""
        start, stop, step = _slice_numbers(key)
        if start is not None and start < 0 and not stop and step > 0:
            # The last few: catalog[-5:], and catalog[-5:0] as databroker 1.x has it.
            uids = self._store.uids(limit=-start)[::-1][::step]
        else:
            uids = self._store.uids(Order.OLDEST_FIRST)[slice(start, stop, step)]
        return [self._run(uid) for uid in uids]

    def _run(self, uid: str) -> BlueskyRun:
        run = self._runs.get(uid)
        if run is None:
            run = self._new_run(uid)
            self._runs[uid] = run
        return run

    def _new_run(self, uid: str) -> BlueskyRun:
        run = BlueskyRun._of(self._store, uid, self._settings)
        run._broker = self
        run.cat = self
        run._own_metadata = {"catalog_dir": self.metadata.get("catalog_dir")}
        return run

    def _get_entry(self, name: str) -> BlueskyRun:
        return self[name]

    def __contains__(self, key: object) -> bool:
        try:
            self._resolve(key)
        except AmbiguousUidError:
            return True
        except (RunNotFoundError, RunIndexError, InvalidLookupError):
            return False
        return True

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_") and "_store" in self.__dict__:
            try:
                return self[name]
            except (RunNotFoundError, AmbiguousUidError, RunIndexError):
                pass
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    # Listing, newest first

    def __iter__(self) -> Iterator[str]:
        last: str | None = None
        while True:
            uids = self._store.uids(after=last, limit=AT_A_TIME)
            yield from uids
            if len(uids) < AT_A_TIME:
                return
            last = uids[-1]

    def __len__(self) -> int:
        return self._store.count()

    def __bool__(self) -> bool:
        return bool(self._store.uids(limit=1))

    def keys(self) -> Iterator[str]:
        """Return the uids of the Runs, newest first."""
        return iter(self)

    def values(self) -> Iterator[BlueskyRun]:
        """Return the Runs, newest first."""
        return (self._run(uid) for uid in self)

    def items(self) -> Iterator[tuple[str, BlueskyRun]]:
        """Return the uids and the Runs, newest first."""
        return ((uid, self._run(uid)) for uid in self)

    def __dir__(self) -> list[str]:
        return sorted(object.__dir__(self))

    def _ipython_key_completions_(self) -> list[str]:
        return self._store.uids(limit=AT_A_TIME)

    # Search

    def search(self, query: Mapping[str, Any]) -> Self:
        """Return a catalog of the Runs that match; it can be searched again.

        Parameters
        ----------
        query : dict
            In MongoDB's language, over the Run Start: ``{"plan_name": "scan"}``,
            ``{"scan_id": {"$gt": 5}}``. Keys that begin with ``stop.`` are those of the Run
            Stop, keys that begin with ``descriptors.`` those of the Event Descriptors.

        Raises
        ------
        databroker.errors.InvalidQueryError
            The query is not a mapping, or is malformed.
        databroker.errors.UnsupportedQueryError
            It uses an operator that is not supported.
        """
        return self._showing(self._store.where(parse(query)), "search results")

    def _showing(self, store: RunStore, name: str | None) -> Self:
        """Return the same catalog over other Runs."""
        catalog = type(self).__new__(type(self))
        catalog.__dict__.update(self.__dict__)
        catalog._store = store
        catalog.name = name
        catalog._runs = weakref.WeakValueDictionary()
        catalog._entries = catalog._make_entries_container()
        catalog._v1 = None
        return catalog

    # Recording

    @property
    def insert(self) -> "Insert":
        """Record a document: ``catalog.insert(name, doc)``, or ``RE.subscribe(catalog.insert)``."""
        return Insert(self)

    def flush(self) -> None:
        """Return when everything inserted so far is stored."""
        if isinstance(self._store, Writes):
            self._store.flush()

    def problems(self) -> list[Problem]:
        """Return the documents that contradict stored ones, or belong to nothing.

        Each is a `databroker.stores.protocol.Problem`.
        """
        return self._store.problems() if isinstance(self._store, Writes) else []

    # Handlers, root map

    @property
    def handler_registry(self) -> Mapping[str, Any]:
        """The handlers by spec, to look at; `register_handler` changes them."""
        return self._settings.handler_registry

    def register_handler(self, spec: str, handler: Any, overwrite: bool = False) -> None:
        """Set the handler that opens Resources of a spec.

        Raises
        ------
        databroker.errors.DuplicateHandler
            The spec has another handler, and `overwrite` is not set.
        """
        self._settings.register_handler(spec, handler, overwrite)

    def deregister_handler(self, spec: str) -> None:
        """Remove the handler of a spec, if there is one."""
        self._settings.deregister_handler(spec)

    @property
    def root_map(self) -> dict[str, str]:
        """What the roots of Resources are replaced by; it can be changed."""
        return self._settings.root_map

    # The store

    def stats(self) -> dict[str, Any]:
        """Return counts and sizes of the store."""
        return self._administered("stats").stats()

    def backup(self, path: str) -> None:
        """Write a copy of the whole store to a new file, while it is in use.

        Raises
        ------
        databroker.errors.InvalidStoreError
            The file exists.
        """
        self._administered("backup").backup(path)

    def _administered(self, what: str) -> Administers:
        if not isinstance(self._store, Administers):
            raise UnsupportedOperationError(
                f"{self._store!r} offers no {what}; a store in a file does."
            )
        return self._store

    def close(self) -> None:
        """Store what is held, and let go of the store."""
        self._store.close()

    _close = close

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _load_metadata(self) -> None:
        """Do nothing: metadata are always there."""

    def describe(self) -> dict[str, Any]:
        """Return what intake shows of a catalog."""
        return description(self.name, "catalog", None, self.metadata)

    def _yaml(self) -> dict[str, Any]:
        if "store" in self._captured_init_kwargs:
            raise UnsupportedOperationError(
                f"{self!r} was not opened from the arguments of a driver, which a YAML file holds; "
                "write `driver: bluesky-sqlite-catalog` and `args: {path: …}` there."
            )
        return super()._yaml()

    # Accessors, copies

    @property
    def v1(self) -> "V1Broker":
        """The same Runs through the interface of databroker 0.x and 1.x."""
        if self._v1 is None:
            from databroker import v1

            self._v1 = v1.Broker(self)
        return self._v1

    @property
    def v2(self) -> Self:
        """The catalog itself."""
        return self

    def configure_new(self, *document: Any, **kwargs: Any) -> Any:
        """Return this catalog; with ``(name, doc)``, record a document."""
        if document:
            if len(document) != 2:
                raise InvalidDocumentError(
                    "A catalog is called with the kind of a document and the document, to record "
                    f"it, or with nothing; got {len(document)} argument(s)."
                )
            return self.insert(*document, **kwargs)
        if kwargs:
            return super().configure_new(**kwargs)
        return self

    __call__ = configure_new

    def get(self, *key: Any, **kwargs: Any) -> Any:
        """Return the catalog itself, as intake has it; with ``(key, default)``, a Run.

        Parameters
        ----------
        *key
            What to look up, and what to return if there is no such Run.
        **kwargs
            As in `configure_new`.
        """
        if not key:
            return self.configure_new(**kwargs)
        return self[key[0]] if key[0] in self else (key[1] if len(key) > 1 else None)

    def read(self) -> NoReturn:
        """Raise: Runs are read one by one."""
        raise NotImplementedError("Runs are read one by one: catalog[-1].primary.read().")

    to_dask = read

    def serialize(self) -> NoReturn:
        """Raise: the Runs of a store are not written into a YAML file."""
        raise UnsupportedOperationError(
            "The Runs of a store are not written into a YAML file; copy them with backup(path)."
        )

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def __reduce__(self) -> tuple[Any, ...]:
        state = {
            name: value
            for name, value in self.__dict__.items()
            if name not in ("_runs", "_entries", "_v1", "_captured_init_args",
                            "_captured_init_kwargs", "_passed_kwargs")
        }  # fmt: skip
        return _reopened, (type(self), state)

    # Representations

    def __repr__(self) -> str:
        return f"<Intake catalog: {self.name}>"

    def __str__(self) -> str:
        return display.catalog_text(self)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self) if cycle else display.catalog_text(self))

    def _repr_html_(self) -> str:
        return display.catalog_html(self)

    _ipython_display_ = None

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {}


@dataclass(frozen=True)
class Insert:
    """Records documents in a catalog, which it keeps alive.

    A RunEngine holds bound methods weakly: were this one, nothing would be recorded once the
    catalog has no other name.

    Parameters
    ----------
    catalog : Broker
        Where to.
    """

    catalog: Broker

    def __call__(self, name: str, doc: Mapping[str, Any], *, on_conflict: str = "keep") -> None:
        """Record one document.

        Parameters
        ----------
        name : str
            Its kind: 'start', 'event', any other.
        doc : dict
            The document; it may be changed afterwards.
        on_conflict : {'keep', 'raise'}
            What to do with a document that contradicts a stored one: keep it aside and warn, or
            raise.

        Raises
        ------
        databroker.errors.InvalidDocumentError
            It is no document: no mapping, or without a uid.
        """
        if on_conflict not in ("keep", "raise"):
            raise InvalidSettingError(f"on_conflict is 'keep' or 'raise', not {on_conflict!r}.")
        self._store.insert(name, doc, on_conflict=on_conflict)

    @functools.cached_property
    def _store(self) -> Writes:
        store = self.catalog._store
        if not isinstance(store, Writes):  # asked once: it takes longer than the insert of an Event
            raise ReadOnlyStoreError(f"{store!r} cannot be written.")
        return store

    def __repr__(self) -> str:
        return f"<insert into {self.catalog!r}>"


def _slice_numbers(key: slice) -> tuple[int | None, int | None, int]:
    """Return start, stop and step of a slice that counts Runs from the end."""
    try:
        start, stop, step = (
            None if number is None else operator.index(number)
            for number in (key.start, key.stop, key.step)
        )
    except TypeError:
        raise InvalidLookupError(
            f"Slices of a catalog count Runs, in integers such as catalog[-5:]; got {key}."
        ) from None
    if step == 0:
        raise InvalidSettingError("The step of a slice cannot be zero.")
    for end in (start, stop):
        if end is not None and end > 0:
            raise InvalidSettingError(
                "Slices of a catalog count Runs from the end, such as catalog[-5:]; "
                f"{end} would be a scan_id."
            )
    return start, stop, step or 1


def _is_integer(text: str) -> bool:
    return text.removeprefix("-").isdecimal() and text.isascii()


def _reopened(cls: type[Broker], state: dict[str, Any]) -> Broker:
    broker = cls.__new__(cls)
    broker.__dict__.update(state)
    broker._runs = weakref.WeakValueDictionary()
    broker._entries = broker._make_entries_container()
    broker._v1 = None
    return broker
