"""Functions that patch documents on their way out."""

import importlib
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from databroker.documents.document import KINDS
from databroker.errors import InvalidSettingError

TRANSFORMED = ("start", "stop", "resource", "descriptor")
"""The kinds of documents that can be transformed."""

Transform: TypeAlias = Callable[[Mapping[str, Any]], Mapping[str, Any]]
Transforms: TypeAlias = dict[str, Transform]


def unchanged(doc: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the document as it is."""
    return doc


def parse_transforms(transforms: Mapping[str, Transform | str | None] | None) -> Transforms:
    """Return a function for each kind of document that can be transformed.

    Parameters
    ----------
    transforms : dict or None
        Functions, or the places to import them from such as ``'package.module.name'``, by kind of
        document: 'start', 'stop', 'resource', 'descriptor'. A kind that is missing is not changed.

    Raises
    ------
    ValueError
        It is no dict.
    NotImplementedError
        It names another kind of document.

    Examples
    --------
    >>> parse_transforms({"start": "builtins.dict"})["start"]
    <class 'dict'>
    """
    if transforms is None:
        transforms = {}
    if not isinstance(transforms, Mapping):
        raise InvalidSettingError(
            f"Invalid transforms argument {transforms!r}: transforms must be None or a dictionary."
        )
    unknown = set(transforms) - set(TRANSFORMED)
    if unknown:
        raise NotImplementedError(
            f"Transforms for {unknown} are not supported; use some of {', '.join(TRANSFORMED)}."
        )
    return {kind: _function(transforms.get(kind)) for kind in TRANSFORMED}


def _function(transform: Transform | str | None) -> Transform:
    if transform is None:
        return unchanged
    return imported(transform) if isinstance(transform, str) else transform


def imported(name: str) -> Any:
    """Return what a dotted name such as ``'package.module.name'`` stands for.

    Raises
    ------
    ValueError
        The name has no module in it.
    """
    module, _, attribute = name.rpartition(".")
    if not module:
        raise InvalidSettingError(
            f"{name!r} is no place to import from; write it as 'package.module.name'."
        )
    return getattr(importlib.import_module(module), attribute)


def transformed(kind: str, doc: Mapping[str, Any], transforms: Transforms) -> Any:
    """Return the document of its kind, as the transforms make it."""
    return KINDS[kind](transforms[kind](doc))
