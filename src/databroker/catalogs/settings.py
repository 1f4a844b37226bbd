"""What a user sets on a catalog: how its Runs open external data and patch documents."""

import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from databroker.errors import DuplicateHandler, NotPicklableError
from databroker.reading.external import (
    discover_handlers,
    filler_of_event_model,
    parse_handler_registry,
)
from databroker.reading.transforms import Transforms, imported, parse_transforms


@dataclass(slots=True)
class Settings:
    """How the Runs of a catalog open external data and patch documents.

    Parameters
    ----------
    handlers : dict or None
        Handlers by spec. None: those that installed packages offer, found when first needed.
    root_map : dict
        What each root of Resources is replaced by.
    filler_class : callable or None
        Makes Fillers. None: `event_model.Filler`.
    transforms : dict
        Functions by kind of document.
    """

    handlers: dict[str, Any] | None = None
    root_map: dict[str, str] = field(default_factory=dict)
    filler_class: Callable[..., Any] | None = None
    transforms: Transforms = field(default_factory=lambda: parse_transforms(None))

    @classmethod
    def of(
        cls,
        handler_registry: Mapping[str, Any] | None,
        root_map: Mapping[str, str] | None,
        filler_class: Callable[..., Any] | str | None,
        transforms: Mapping[str, Any] | None,
    ) -> "Settings":
        """Return the settings that users and YAML files give."""
        handlers = None if handler_registry is None else parse_handler_registry(handler_registry)
        return cls(
            handlers,
            # Not copied: users change the map of a catalog after making it.
            {} if root_map is None else root_map if isinstance(root_map, dict) else dict(root_map),
            imported(filler_class) if isinstance(filler_class, str) else filler_class,
            parse_transforms(transforms),
        )

    def _own_handlers(self) -> dict[str, Any]:
        if self.handlers is None:
            self.handlers = discover_handlers()
        return self.handlers

    @property
    def handler_registry(self) -> Mapping[str, Any]:
        """The handlers by spec, to look at."""
        import event_model

        return event_model.HandlerRegistryView(self._own_handlers())

    def register_handler(self, spec: str, handler: Any, overwrite: bool) -> None:
        """Set the handler for a spec."""
        handlers = self._own_handlers()
        original = handlers.get(spec)
        if original is not None and original is not handler and not overwrite:
            raise DuplicateHandler(
                f"There is already a handler registered for the spec {spec!r}. "
                "Use overwrite=True to deregister the original.\n"
                f"Original: {original}\nNew: {handler}"
            )
        handlers[spec] = handler

    def deregister_handler(self, spec: str) -> Any:
        """Remove the handler for a spec, and return it; None if there is none."""
        return self._own_handlers().pop(spec, None)

    def get_filler(self, coerce: str | None = None) -> Any:
        """Return a Filler with these handlers and this root map."""
        filler_class: Any = self.filler_class or filler_of_event_model()
        return filler_class(
            handler_registry=dict(self._own_handlers()),
            root_map=self.root_map,
            inplace=False,
            **({} if coerce is None else {"coerce": coerce}),
        )

    def __getstate__(self) -> tuple[Any, ...]:
        for what, items in (("handler", self.handlers or {}), ("transform", self.transforms)):
            for name, item in items.items():
                _check_picklable(what, name, item)
        if self.filler_class is not None:
            _check_picklable("filler class", "", self.filler_class)
        return self.handlers, self.root_map, self.filler_class, self.transforms

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.handlers, self.root_map, self.filler_class, self.transforms = state


def _check_picklable(what: str, name: str, item: Any) -> None:
    try:
        pickle.dumps(item)
    except Exception as error:
        raise NotPicklableError(
            f"The {what} {f'for {name!r}, ' if name else ''}{item!r}, cannot be pickled: it cannot "
            "be imported by name. Define it at the top level of a module."
        ) from error
