"""Runs that are not in a catalog: one that is being received, and one that a function yields."""

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from databroker.catalogs.run import BlueskyRun
from databroker.catalogs.settings import Settings
from databroker.errors import InvalidDocumentError
from databroker.reading.external import GetFiller
from databroker.reading.replay import Named
from databroker.reading.transforms import parse_transforms
from databroker.stores.memory import MemoryStore


class SingleRunCache:
    """Receives the documents of one Run, and gives it back when it is complete.

    Parameters
    ----------
    handler_registry, root_map, filler_class, transforms
        See `databroker.v2.Broker`.

    Examples
    --------
    >>> from databroker.testing.documents import simple_run
    >>> cache = SingleRunCache()
    >>> for name, doc in simple_run():
    ...     cache.callback(name, doc)
    >>> cache.retrieve().start["plan_name"]
    'scan'
    """

    def __init__(
        self,
        *,
        handler_registry: Mapping[str, Any] | None = None,
        root_map: Mapping[str, str] | None = None,
        filler_class: Callable[..., Any] | str | None = None,
        transforms: Mapping[str, Any] | None = None,
    ) -> None:
        self._settings = Settings.of(handler_registry, root_map, filler_class, transforms)
        self._store = MemoryStore()
        self._run: BlueskyRun | None = None

    def callback(self, name: str, doc: Mapping[str, Any]) -> None:
        """Receive one document: ``RE(plan, cache.callback)``.

        Raises
        ------
        databroker.errors.InvalidDocumentError
            The Run is complete.
        """
        if self._run is not None:
            raise InvalidDocumentError("Already received 'stop' document. Expected one Run only.")
        self._store.insert(name, doc)
        if name == "stop":
            self._run = BlueskyRun._of(self._store, doc["run_start"], self._settings)

    def retrieve(self) -> BlueskyRun | None:
        """Return the Run, None as long as its Run Stop is missing."""
        return self._run

    def __repr__(self) -> str:
        if self._run is None:
            return f"<{type(self).__name__} in progress>"
        return f"<{type(self).__name__} uid={self._run.uid}>"


class BlueskyRunFromGenerator(BlueskyRun):
    """A Run whose documents a function yields.

    Parameters
    ----------
    gen_func : callable
        Yields ``(name, document)``.
    gen_args, gen_kwargs
        What it is called with.
    get_filler : callable
        Takes `coerce`; returns a Filler.
    transforms : dict, optional
        See `BlueskyRun`.
    """

    def __init__(
        self,
        gen_func: Callable[..., Iterable[Named]],
        gen_args: Sequence[Any],
        gen_kwargs: Mapping[str, Any],
        get_filler: GetFiller,
        transforms: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        store = MemoryStore()
        for name, doc in gen_func(*gen_args, **gen_kwargs):
            store.insert(name, doc)
        uids = store.uids()
        if len(uids) != 1:
            raise InvalidDocumentError(
                f"{gen_func!r} yields the documents of {len(uids)} Runs instead of one."
            )
        self._set_up(store, uids[0], get_filler, parse_transforms(transforms))
        super(BlueskyRun, self).__init__(**{"name": uids[0], **kwargs})

    def __reduce__(self) -> tuple[Any, ...]:
        new = functools.partial(type(self), **self._captured_init_kwargs)
        return new, tuple(self._captured_init_args)


class PartitionedPages:
    """Documents of a cursor as pages, anew at each call.

    Parameters
    ----------
    get_cursor : callable
        Returns an iterator of documents.
    page_size : int
        How many rows a page has.
    pack : callable
        Makes a page of documents.
    """

    def __init__(
        self,
        get_cursor: Callable[..., Iterable[Mapping[str, Any]]],
        page_size: int,
        pack: Callable[..., Mapping[str, Any]],
    ) -> None:
        self._get_cursor, self._page_size, self._pack = get_cursor, page_size, pack

    def __call__(self, *args: Any, **kwargs: Any) -> Iterator[Mapping[str, Any]]:
        if self._page_size < 1:
            return
        gathered: list[Mapping[str, Any]] = []
        for document in self._get_cursor(*args, **kwargs):
            gathered.append(document)
            if len(gathered) == self._page_size:
                yield self._pack(*gathered)
                gathered = []
        if gathered:
            yield self._pack(*gathered)


def to_event_pages(
    get_event_cursor: Callable[..., Iterable[Mapping[str, Any]]], page_size: int
) -> PartitionedPages:
    """Return a function that yields Event Pages, from one that yields Events.

    Parameters
    ----------
    get_event_cursor : callable
        Returns an iterator of Events.
    page_size : int
        How many Events a page has.
    """
    return PartitionedPages(get_event_cursor, page_size, _event_page)


def to_datum_pages(
    get_datum_cursor: Callable[..., Iterable[Mapping[str, Any]]], page_size: int
) -> PartitionedPages:
    """Return a function that yields Datum Pages, from one that yields Datums.

    Parameters
    ----------
    get_datum_cursor : callable
        Returns an iterator of Datums.
    page_size : int
        How many Datums a page has.
    """
    return PartitionedPages(get_datum_cursor, page_size, _datum_page)


def _event_page(*events: Any) -> Mapping[str, Any]:
    import event_model

    return event_model.pack_event_page(*events)


def _datum_page(*datums: Any) -> Mapping[str, Any]:
    import event_model

    return event_model.pack_datum_page(*datums)


def retry(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a method of a catalog reload the catalog and try again, once, if it fails."""

    @functools.wraps(function)
    def tried_twice(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return function(self, *args, **kwargs)
        except Exception:  # noqa: BLE001 - whatever it was, the second try may raise it again
            self.force_reload()
            return function(self, *args, **kwargs)

    return tried_twice
