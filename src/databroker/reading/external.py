"""External data: handlers, and the Fillers that put data in place of datum_ids."""

import functools
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from databroker.documents.columns import Column
from databroker.documents.pages import EVENT, documents_of
from databroker.reading.replay import Named, resources_and_datums
from databroker.reading.transforms import Transforms, imported, transformed
from databroker.stores.protocol import JSONDocument, RunStore

if TYPE_CHECKING:
    from event_model import Filler

GetFiller: TypeAlias = Callable[..., "Filler"]
"""Returns a Filler; takes `coerce`, the name of a coercion of event-model, or None."""


@functools.cache
def _discovered(group: str, skip_failures: bool) -> Mapping[str, Any]:
    import warnings

    handlers: dict[str, Any] = {}
    for point in entry_points(group=group):
        try:
            handler = point.load()
        except Exception as error:
            if not skip_failures:
                raise
            warnings.warn(
                f"The handler for {point.name!r}, {point.value}, cannot be imported "
                f"and is left out: {error!r}.",
                stacklevel=3,
            )
            continue
        if point.name in handlers and handlers[point.name] is not handler:
            warnings.warn(
                f"There are several handlers for {point.name!r}; {point.value} is used.",
                stacklevel=3,
            )
        handlers[point.name] = handler
    return handlers


def discover_handlers(
    entrypoint_group_name: str = "databroker.handlers", skip_failures: bool = True
) -> dict[str, Any]:
    """Return the handlers that installed packages offer, by spec.

    Parameters
    ----------
    entrypoint_group_name : str
        The group of entry points to look in.
    skip_failures : bool
        Warn about handlers that cannot be imported; otherwise raise.
    """
    return dict(_discovered(entrypoint_group_name, skip_failures))


def parse_handler_registry(handler_registry: Mapping[str, Any]) -> dict[str, Any]:
    """Return handlers by spec; texts such as ``'package.module.Handler'`` are imported.

    Examples
    --------
    >>> parse_handler_registry({"MY_SPEC": "builtins.dict"})
    {'MY_SPEC': <class 'dict'>}
    """
    return {
        spec: imported(handler) if isinstance(handler, str) else handler
        for spec, handler in handler_registry.items()
    }


@functools.cache
def filler_of_event_model() -> type["Filler"]:
    """Return event-model's Filler, which knows our way to delay from here on."""
    import event_model

    event_model.register_coercion("delayed", coerce_dask)
    return event_model.Filler


def coerce_dask(handler_class: Any, filler_state: Any) -> Any:
    """Return a handler that gives dask arrays, one task for each Datum.

    Parameters
    ----------
    handler_class : type
        A handler. One whose ``return_type["delayed"]`` is true gives dask arrays itself.
    filler_state
        With the `descriptor` and the `key` that are being filled.
    """
    if getattr(handler_class, "return_type", {"delayed": False}).get("delayed"):
        return handler_class

    class DelayedHandler(handler_class):
        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            import dask.array
            from dask.delayed import delayed

            data_key = filler_state.descriptor["data_keys"][filler_state.key]
            shape, dtype = data_key.get("shape") or (), data_key.get("dtype_numpy") or float
            open_datum = super().__call__
            if not all(isinstance(size, int) and size >= 0 for size in shape):
                return dask.array.from_array(np.asarray(open_datum(*args, **kwargs)))
            task = delayed(open_datum)(*args, **kwargs)
            return dask.array.from_delayed(task, shape=tuple(shape), dtype=np.dtype(dtype))

    return DelayedHandler


def filled(
    documents: Iterator[Named], get_filler: GetFiller, coerce: str | None
) -> Iterator[Named]:
    """Yield documents with external data in place of datum_ids."""
    with get_filler(coerce=coerce) as filler:
        for name, doc in documents:
            plain = name in ("event", "event_page")
            yield name, filler(name, dict(doc))[1] if plain else _registered(filler, name, doc)


def _registered(filler: "Filler", name: str, doc: Mapping[str, Any]) -> Mapping[str, Any]:
    """Show the Filler a document that it may need later; the document stays as it is."""
    if name in ("start", "descriptor", "resource", "datum", "datum_page", "stop"):
        filler(name, dict(doc))
    return doc


def filled_column(
    store: RunStore,
    uid: str,
    transforms: Transforms,
    get_filler: GetFiller,
    descriptor: JSONDocument,
    key: str,
) -> Column:
    """Return the external data of one data key, a row for each Event."""
    keys = [("", "uid"), ("", "seq_num"), ("", "time"), ("data", key), ("filled", key)]
    table = store.columns(uid, descriptor["uid"], keys)
    rows = []
    with get_filler(coerce="force_numpy") as filler:
        filler("start", transformed("start", store.run_starts([uid])[0], transforms))
        filler("descriptor", transformed("descriptor", descriptor, transforms))
        for name, doc in resources_and_datums(store, uid, transforms):
            _registered(filler, name, doc)
        for event in documents_of(table, EVENT, descriptor["uid"]):
            event["filled"] = {key: event.get("filled", {}).get(key, False)}
            _, done = filler("event", {"timestamps": {}, **event})
            rows.append(np.asarray(done["data"][key]))
    return Column.of(rows)
