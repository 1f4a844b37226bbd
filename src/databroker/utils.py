"""Small helpers that scripts import: lazy mappings, human-friendly times, plain values."""

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from datetime import date, datetime, tzinfo
from pathlib import Path
from typing import Any, Final, final
from zoneinfo import ZoneInfo

from databroker.errors import (
    AmbiguousTimeError,
    DuplicateHandler,
    InvalidQueryError,
    NonExistentTimeError,
    UnknownTimeZoneError,
)

__all__ = [
    "ALL",
    "DuplicateHandler",
    "LazyMap",
    "apply_to_dict_recursively",
    "catalog_search_path",
    "ensure_path_exists",
    "format_time",
    "get_fields",
    "local_time_zone",
    "normalize_human_friendly_time",
    "sanitize_np",
    "transpose",
]


@final
class _All:
    """All streams of a Run, where the name of one could stand."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "ALL"

    def __reduce__(self) -> str:
        return "ALL"


ALL: Final = _All()


class LazyMap(Mapping[str, Any]):
    """A mapping of functions, each called once, when its key is first looked up.

    Parameters
    ----------
    *args, **kwargs
        As for `dict`; each value is a function without arguments.

    Examples
    --------
    >>> images = LazyMap(dark=lambda: print("reading") or 7)
    >>> "dark" in images
    True
    >>> images["dark"], images["dark"]
    reading
    (7, 7)
    """

    __slots__ = ("_lock", "_thunks", "_values")

    def __init__(self, *args: Any, **kwargs: Callable[[], Any]) -> None:
        self._thunks: dict[str, Callable[[], Any]] = dict(*args, **kwargs)
        self._values: dict[str, Any] = {}
        self._lock = threading.RLock()

    def __getitem__(self, key: str) -> Any:
        with self._lock:
            if key not in self._values:
                self._values[key] = self._thunks[key]()
            return self._values[key]

    def __contains__(self, key: object) -> bool:
        return key in self._thunks

    def __iter__(self) -> Iterator[str]:
        return iter(self._thunks)

    def __len__(self) -> int:
        return len(self._thunks)

    def add(self, *args: Any, **kwargs: Callable[[], Any]) -> None:
        """Add keys and their functions; the value of a key that is there cannot change."""
        added = dict(*args, **kwargs)
        with self._lock:
            known = sorted(map(repr, self._thunks.keys() & added.keys()))
            if known:
                # Messages of 1.x start so; it raised a TypeError.
                raise TypeError(
                    "Cannot change the value of existing keys in a LazyMap. "
                    f"keys: {', '.join(known)} already exist: make a new LazyMap."
                )
            self._thunks.update(added)

    def __getstate__(self) -> dict[str, Any]:
        with self._lock:
            return {"thunks": dict(self._thunks), "values": dict(self._values)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._thunks = state["thunks"]
        self._values = state["values"]
        self._lock = threading.RLock()


def ensure_path_exists(path: str | os.PathLike[str], exist_ok: bool = True) -> None:
    """Make a directory, and those above it, where they are missing."""
    Path(path).mkdir(parents=True, exist_ok=exist_ok)


def sanitize_np(val: Any) -> Any:
    """Turn numpy scalars and arrays into numbers, strings and lists; leave others as they are.

    Examples
    --------
    >>> import numpy
    >>> sanitize_np(numpy.arange(3)), sanitize_np("x")
    ([0, 1, 2], 'x')
    """
    return val.tolist() if hasattr(val, "dtype") and hasattr(val, "tolist") else val


def apply_to_dict_recursively(d: MutableMapping[str, Any], f: Callable[[Any], Any]) -> None:
    """Replace each value of nested dictionaries, in place, by what the function makes of it.

    Examples
    --------
    >>> lengths = {"a": "x", "b": {"c": "xyz"}}
    >>> apply_to_dict_recursively(lengths, len)
    >>> lengths
    {'a': 1, 'b': {'c': 3}}
    """
    for key, value in d.items():
        if isinstance(value, MutableMapping):
            apply_to_dict_recursively(value, f)
        else:
            d[key] = f(value)


def get_fields(header: Any, name: str | None = None) -> set[str]:
    """Return the data keys of a Run, or of one of its streams.

    Parameters
    ----------
    header : Header
    name : str, optional
        The name of a stream. By default all of them, as with `ALL`.
    """
    every = name is None or name is ALL
    return {
        key
        for descriptor in header["descriptors"]
        if every or descriptor.get("name") == name
        for key in descriptor["data_keys"]
    }


def transpose(
    in_data: Sequence[Mapping[str, Any]], keys: Iterable[str], field: str
) -> dict[str, list[Any]]:
    """Turn a list of Events into a dictionary of lists.

    Parameters
    ----------
    in_data : list of dict
        The Events.
    keys : list of str
        Which keys to take.
    field : str
        Where in an Event they are: ``'data'`` or ``'timestamps'``.

    Examples
    --------
    >>> transpose([{"data": {"x": 1}}, {"data": {"x": 2}}], ["x"], "data")
    {'x': [1, 2]}
    """
    return {key: [event[field][key] for event in in_data] for key in keys}


def catalog_search_path() -> tuple[str, str]:
    """Return the directories that are searched for YAML files of catalogs.

    The first is the user's, the second that of the environment or the computer.
    """
    from intake.catalog.default import global_data_dir, user_data_dir

    return user_data_dir(), global_data_dir()


def format_time(search_dict: MutableMapping[str, Any], tz: str | tzinfo | None) -> None:
    """Replace *since* and *until* in a search, in place, by a query for the time.

    Parameters
    ----------
    search_dict : dict
        A search; its *start_time* and *stop_time* are older names of *since* and *until*.
    tz : str or tzinfo
        The time zone of times that do not say theirs.

    Examples
    --------
    >>> search = {"since": "2026", "plan_name": "scan"}
    >>> format_time(search, "UTC")
    >>> search
    {'plan_name': 'scan', 'time': {'$gte': 1767225600.0}}
    """
    times = {
        operator: normalize_human_friendly_time(value, tz)
        for operator, value in (
            ("$gte", _taken(search_dict, "since", "start_time")),
            ("$lte", _taken(search_dict, "until", "stop_time")),
        )
        if value is not None
    }
    if times:
        search_dict["time"] = times


def _taken(search: MutableMapping[str, Any], name: str, older: str) -> Any:
    if name in search and older in search:
        raise TypeError(f"cannot use both {name!r} and its deprecated name {older!r}")
    return search.pop(name, search.pop(older, None))


_TIME_FORMATS: Final = (
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%d %H",
    "%Y-%m-%d",
    "%Y-%m",
    "%Y",
)
_LENGTH_OF_DATE: Final = len("2026-11-22")


def normalize_human_friendly_time(val: Any, tz: str | tzinfo | None = None) -> float:
    """Return a time as seconds since 1970 (UTC).

    Parameters
    ----------
    val : str, datetime, date or float
        Such as ``'2026'``, ``'2026-11'``, ``'2026-11-22'``, ``'2026-11-22 10'``,
        ``'2026-11-22 10:30'``, ``'2026-11-22 10:30:00'``, ISO 8601 with a ``T``, a fraction or an
        offset (``'2026-11-22T10:30:00.5+02:00'``), or seconds since 1970.
    tz : str or tzinfo, optional
        The time zone of a time that does not say its own; by default this computer's.

    Raises
    ------
    databroker.errors.InvalidQueryError
        If it is no time.
    databroker.errors.NonExistentTimeError, databroker.errors.AmbiguousTimeError
        If clocks in this zone skip the time, or show it twice; both are InvalidQueryErrors.
    databroker.errors.UnknownTimeZoneError
        If there is no such time zone.

    Examples
    --------
    >>> normalize_human_friendly_time("2026-11-22 10:30", "US/Eastern")
    1795361400.0
    """
    zone = _zone(tz)
    match val:
        case str():
            return _timestamp(_parsed(val.strip()), zone)
        case datetime():
            return _timestamp(val, zone)
        case date():
            return _timestamp(datetime(val.year, val.month, val.day), zone)  # noqa: DTZ001
        case _:
            return _seconds(val)


def _seconds(val: Any) -> float:
    number = sanitize_np(val)
    if isinstance(number, bool) or not isinstance(number, int | float) or number != number:
        raise InvalidQueryError(
            f"{val!r} is no time: give a text such as '2026-11-22 10:30', a datetime, or seconds "
            "since 1970."
        )
    return float(number)


def _parsed(text: str) -> datetime:
    for form in _TIME_FORMATS:
        try:
            return datetime.strptime(text, form)  # noqa: DTZ007 - the zone comes later
        except ValueError:
            continue
    try:
        if text[_LENGTH_OF_DATE : _LENGTH_OF_DATE + 1] in {" ", "T"}:
            return datetime.fromisoformat(text)
    except ValueError:
        pass
    raise InvalidQueryError(
        f"failed to parse time: {text!r}; write it like '2026', '2026-11', '2026-11-22', "
        "'2026-11-22 10', '2026-11-22 10:30' or '2026-11-22 10:30:00'."
    )


def _timestamp(time: datetime, zone: tzinfo | None) -> float:
    if time.tzinfo is not None:
        return time.timestamp()
    try:
        first, second = (time.replace(tzinfo=zone, fold=fold).timestamp() for fold in (0, 1))
        if first == second or time.fold:
            return second
        known = datetime.fromtimestamp(first, zone).replace(tzinfo=None) == time
    except (OverflowError, OSError, ValueError):
        raise InvalidQueryError(f"{time} is too far away from 1970 to be a time.") from None
    what = "twice, when clocks are set back" if known else "never, when clocks are set forward"
    error = AmbiguousTimeError if known else NonExistentTimeError
    raise error(
        f"In the time zone {zone or local_time_zone()} the time {time} comes {what}: give seconds "
        "since 1970, or a time with its offset such as '2026-11-22T10:30:00+02:00'."
    )


def _zone(tz: str | tzinfo | None) -> tzinfo | None:
    """Return a time zone; None is this computer's."""
    match tz:
        case None:
            return None
        case str():
            return _named_zone(tz)
        case tzinfo(zone=str() as name):
            return _named_zone(name)  # of pytz: such an object stands for the zone's first offset
        case tzinfo():
            return tz
        case _:
            raise _no_zone(tz)


def _named_zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise _no_zone(name) from None


def _no_zone(tz: Any) -> UnknownTimeZoneError:
    return UnknownTimeZoneError(
        f"There is no time zone {tz!r}: give a name such as 'US/Eastern' or 'Europe/Berlin', or "
        "a tzinfo."
    )


def local_time_zone() -> str | None:
    """Return the name of this computer's time zone; None if it does not tell."""
    name = os.environ.get("TZ", "").removeprefix(":")
    if not name:
        name = str(Path("/etc/localtime").resolve()).partition("zoneinfo/")[2]
    try:
        return ZoneInfo(name).key
    except (KeyError, ValueError, OSError):
        return None
