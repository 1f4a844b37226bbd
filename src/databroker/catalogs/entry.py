"""Entries: how intake lists what a catalog holds, before it is opened."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any


class RunEntry:
    """A Run in a catalog, or a stream in a Run: calling it gives the thing itself.

    Parameters
    ----------
    name : str
        Its name in the catalog.
    container : str
        What it is, in intake's words.
    open_it : callable
        Gives it.
    """

    def __init__(self, name: str, container: str, open_it: Callable[[], Any]) -> None:
        self._name = self.name = name
        self._container = container
        self._open = open_it
        # intake writes these two when it opens an entry.
        self._catalog: Any = None
        self._pmode = "never"
        self._user_parameters: list[Any] = []

    def __call__(self, **kwargs: Any) -> Any:
        thing = self._open()
        return thing.configure_new(**kwargs) if kwargs else thing

    get = __call__

    def describe(self) -> dict[str, Any]:
        """Return what intake shows of an entry."""
        return self._open().describe()

    @property
    def container(self) -> str:
        return self._container

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"


class RunStreamEntry(RunEntry):
    """A stream in a Run."""


class Entries(Mapping[str, RunEntry]):
    """The entries of a catalog, made when they are looked at.

    Parameters
    ----------
    catalog
        Whose.
    kind : type of RunEntry
        What to make.
    container : str
        What is in the catalog, in intake's words.
    """

    def __init__(self, catalog: Any, kind: type[RunEntry], container: str) -> None:
        self._catalog, self._kind, self._container = catalog, kind, container

    def __getitem__(self, name: str) -> RunEntry:
        thing = self._catalog[name]
        return self._kind(name, self._container, lambda: thing)

    def __iter__(self) -> Iterator[str]:
        return iter(self._catalog)

    def __len__(self) -> int:
        return len(self._catalog)


def description(
    name: str | None, container: str, plugin: str | None, metadata: Any
) -> dict[str, Any]:
    """Return what intake shows of an entry."""
    return {
        "name": name,
        "container": container,
        "plugin": [plugin],
        "description": "",
        "direct_access": "forbid",
        "user_parameters": [],
        "metadata": metadata,
        "args": {},
    }
