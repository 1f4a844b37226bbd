"""Queries that are easy to write.

Each is a Mapping that holds a query of the MongoDB language, so it goes wherever such a query
goes: ``catalog.search(TimeRange(since="2026"))``, ``query.update(TimeRange(since="2026"))``.
"""

import datetime  # the module: a repr with a datetime evaluates in this namespace
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, Self, TypeAlias

from databroker.errors import InvalidQueryError
from databroker.utils import local_time_zone, normalize_human_friendly_time

__all__ = ["Query", "TextQuery", "TimeRange"]

Time: TypeAlias = str | datetime.datetime | datetime.date | float


class Query(Mapping[str, Any]):
    """The base of queries: a Mapping that remembers what it was made from."""

    @property
    @abstractmethod
    def query(self) -> dict[str, Any]:
        """The query in MongoDB's language."""

    @property
    @abstractmethod
    def kwargs(self) -> dict[str, Any]:
        """The arguments that make an equal query."""

    def replace(self, **kwargs: Any) -> Self:
        """Return a copy with other values for some of its arguments."""
        return type(self)(**{**self.kwargs, **kwargs})

    def __getitem__(self, key: str) -> Any:
        return self.query[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.query)

    def __len__(self) -> int:
        return len(self.query)

    def __repr__(self) -> str:
        arguments = ", ".join(f"{key}={value!r}" for key, value in self.kwargs.items())
        return f"{type(self).__name__}({arguments})"


class TimeRange(Query):
    """Runs that started in a range of time.

    Parameters
    ----------
    since, until : str, datetime, date or float, optional
        The first moment of the range, and the first behind it: such as ``'2026'``, ``'2026-11'``,
        ``'2026-11-22'``, ``'2026-11-22 10:30'``, a datetime, or seconds since 1970. Without one,
        the range is open on that side.
    timezone : str or tzinfo, optional
        The time zone of times that do not say theirs, such as ``'US/Eastern'``; by default this
        computer's.

    Raises
    ------
    databroker.errors.InvalidQueryError
        If a text is no time, or `since` is after `until`.

    Examples
    --------
    >>> november = TimeRange(since="2026-11", until="2026-12", timezone="UTC")
    >>> november
    TimeRange(since='2026-11', until='2026-12', timezone='UTC')
    >>> dict(november)
    {'time': {'$gte': 1793491200.0, '$lt': 1796083200.0}}
    >>> november.replace(until=None)
    TimeRange(since='2026-11', until=None, timezone='UTC')
    """

    def __init__(
        self,
        since: Time | None = None,
        until: Time | None = None,
        timezone: str | datetime.tzinfo | None = None,
    ) -> None:
        # The attributes are named as in 1.x, whose pickles have them.
        self.timezone = local_time_zone() if timezone is None else timezone
        self._since_raw, self._until_raw = since, until
        self._since_normalized = self._seconds(since)
        self._until_normalized = self._seconds(until)
        if (
            self._since_normalized is not None
            and self._until_normalized is not None
            and self._since_normalized > self._until_normalized
        ):
            raise InvalidQueryError(
                f"since must not be greater than until: {since!r} is after {until!r}."
            )

    def _seconds(self, time: Time | None) -> float | None:
        return None if time is None else normalize_human_friendly_time(time, self.timezone)

    @property
    def query(self) -> dict[str, Any]:
        bounds = {"$gte": self._since_normalized, "$lt": self._until_normalized}
        given = {operator: time for operator, time in bounds.items() if time is not None}
        return {"time": given} if given else {}

    @property
    def kwargs(self) -> dict[str, Any]:
        return {"since": self._since_raw, "until": self._until_raw, "timezone": self.timezone}


class TextQuery(Query):
    """Runs whose metadata contain certain words.

    Parameters
    ----------
    text_search : str
        Words, of which one must occur; ``"words in quotes"`` must follow each other, ``-word``
        must not occur, and ``word*`` may go on.

    Examples
    --------
    >>> dict(TextQuery("iron -rust"))
    {'$text': {'$search': 'iron -rust'}}
    """

    def __init__(self, text_search: str) -> None:
        self.text = text_search

    @property
    def query(self) -> dict[str, Any]:
        return {"$text": {"$search": self.text}}

    @property
    def kwargs(self) -> dict[str, Any]:
        return {"text_search": self.text}
