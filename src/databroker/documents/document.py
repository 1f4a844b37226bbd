"""The immutable documents that a Run hands out."""

import copy
from collections.abc import Mapping
from typing import Any, NoReturn

from databroker.errors import NotMutable


class Document(dict[str, Any]):
    """An immutable document: a dict that refuses to change.

    ``to_dict()`` gives a mutable copy, deep; ``copy()`` a shallow one.

    Examples
    --------
    >>> from databroker.core import Start
    >>> start = Start({"uid": "abc", "plan_name": "count"})
    >>> start["plan_name"]
    'count'
    >>> start["plan_name"] = "scan"
    Traceback (most recent call last):
        ...
    databroker.errors.NotMutable: Start documents are not mutable; to_dict() gives a mutable copy.
    """

    __slots__ = ()  # no __dict__ each: there may be many

    def _refuse(self, *args: Any, **kwargs: Any) -> NoReturn:
        kind = type(self).__name__
        message = f"{kind} documents are not mutable; to_dict() gives a mutable copy."
        raise NotMutable(message)

    __setitem__ = __delitem__ = __ior__ = _refuse  # type: ignore[assignment]
    pop = popitem = clear = setdefault = update = _refuse  # type: ignore[assignment]

    def to_dict(self) -> dict[str, Any]:
        """Return a mutable copy, deep down."""
        return _mutable(self)

    def copy(self) -> dict[str, Any]:
        """Return a shallow, mutable copy."""
        return dict(self)

    def __copy__(self) -> "Document":
        return type(self)(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> "Document":
        return type(self)(copy.deepcopy(dict(self), memo))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (dict(self),)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({super().__repr__()})"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Show the document over several lines, as IPython shows a dict."""
        name = type(self).__name__
        if cycle:
            printer.text(f"{name}(...)")
            return
        with printer.group(len(name) + 1, f"{name}(", ")"):
            printer.pretty(dict(self))


def _mutable(value: Any) -> Any:
    """Copy containers, deep down, into plain dicts and lists; copy whatever else is copyable."""
    match value:
        case Mapping():
            return {key: _mutable(item) for key, item in value.items()}
        case list():
            return [_mutable(item) for item in value]
        case tuple():
            return tuple(_mutable(item) for item in value)
        case _:
            return copy.deepcopy(value)


class Start(Document):
    """A Run Start: the metadata of a Run, written when it begins."""

    __slots__ = ()


class Stop(Document):
    """A Run Stop: how a Run ended."""

    __slots__ = ()


class Descriptor(Document):
    """An Event Descriptor: the data keys of a stream, and its devices' configuration."""

    __slots__ = ()


class Event(Document):
    """An Event: one row of readings."""

    __slots__ = ()


class EventPage(Document):
    """An Event Page: rows of readings, column by column."""

    __slots__ = ()


class Resource(Document):
    """A Resource: files that hold data of a Run, and how to open them."""

    __slots__ = ()


class Datum(Document):
    """A Datum: a place in a Resource."""

    __slots__ = ()


class DatumPage(Document):
    """A Datum Page: places in a Resource, column by column."""

    __slots__ = ()


class StreamResource(Document):
    """A Stream Resource: files that hold a whole data key of a Run."""

    __slots__ = ()


class StreamDatum(Document):
    """A Stream Datum: a range of rows in a Stream Resource."""

    __slots__ = ()


KINDS: dict[str, type[Document]] = {
    "start": Start,
    "stop": Stop,
    "descriptor": Descriptor,
    "event": Event,
    "event_page": EventPage,
    "resource": Resource,
    "datum": Datum,
    "datum_page": DatumPage,
    "stream_resource": StreamResource,
    "stream_datum": StreamDatum,
}

for _kind in (Document, *KINDS.values()):
    _kind.__module__ = "databroker.core"  # reprs, tracebacks and pickles name the public place


def stream_of(descriptor: Mapping[str, Any]) -> str:
    """Return the stream of an Event Descriptor; old ones name none, and mean the primary one."""
    name = descriptor.get("name")
    return name if isinstance(name, str) else "primary"
