"""The columns of a stream as a labeled Dataset."""

import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from databroker.documents.columns import ABSENT, Column, Table, concatenated
from databroker.documents.pages import ORDINAL
from databroker.errors import InvalidSettingError, MetadataWarning
from databroker.stores.protocol import JSONDocument, RunStore

if TYPE_CHECKING:
    import xarray

DTYPES = {"number": float, "integer": int, "boolean": bool, "string": "<U1", "array": float}
"""The dtypes of columns without any row, by what the descriptor says."""

ATTRIBUTES = ("units", "precision", "source", "long_name", "limits", "choices")
"""What a data key says that its variable keeps."""

External: TypeAlias = Callable[[JSONDocument, str], Column]
"""Gives the external data of one data key of a descriptor."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which part of a stream is read.

    Parameters
    ----------
    include, exclude : collection of str, optional
        Data keys: only these, or all but these.
    group : {'data', 'timestamps'}
        The readings, or when each was taken.
    device : str, optional
        Read the configuration of this device instead of the Events.
    """

    include: Collection[str] | None = None
    exclude: Collection[str] | None = None
    group: str = "data"
    device: str | None = None

    def __post_init__(self) -> None:
        if self.group not in ("data", "timestamps"):
            raise InvalidSettingError(f"sub_dict is 'data' or 'timestamps', not {self.group!r}.")

    def of(self, names: Sequence[str]) -> list[str]:
        """Return the names that are selected, in order."""
        if self.include and self.exclude:
            raise InvalidSettingError(
                "Give include or exclude, not both: "
                f"include={list(self.include)}, exclude={list(self.exclude)}."
            )
        if self.include:
            return [name for name in names if name in self.include]
        return [name for name in names if name not in (self.exclude or ())]


@dataclass(frozen=True, slots=True)
class Variable:
    """A column and what the descriptors say of it."""

    values: np.ndarray
    data_key: Mapping[str, Any]
    device: str | None
    is_data: bool = True


@dataclass(frozen=True, slots=True)
class Frame:
    """The selected columns of a stream, in order of arrival.

    Parameters
    ----------
    times : array of shape (rows,)
        When each Event was emitted, in seconds since 1970 (UTC).
    variables : dict
        The columns, by data key.
    """

    times: np.ndarray
    variables: dict[str, Variable] = field(default_factory=dict)


def frame(
    store: RunStore,
    uid: str,
    descriptors: Sequence[JSONDocument],
    selection: Selection,
    external: External,
) -> Frame:
    """Return the selected columns of a stream.

    The rows of several descriptors are put in order of arrival; the columns are the union of
    theirs.

    Parameters
    ----------
    store, uid
        The Run.
    descriptors
        All descriptors of one stream.
    selection
        Which part of it.
    external
        What gives external data.
    """
    if selection.device is not None:
        return _configuration(store, uid, descriptors, selection, selection.device)
    data_keys = _merged(descriptors, lambda descriptor: descriptor.get("data_keys", {}))
    names = selection.of(list(data_keys))
    keys = [("", "time"), *((selection.group, name) for name in names)]
    if len(descriptors) > 1:
        keys.append(ORDINAL)
    tables = [
        _with_external(store.columns(uid, d["uid"], keys), d, names, selection, external)
        for d in descriptors
    ]
    table = concatenated(tables) if tables else Table(0)
    order = _order(table) if len(descriptors) > 1 and table.count else None
    devices = _devices(descriptors)
    read = Frame(
        _array(table, ("", "time"), {"dtype": "number"}, order),
        {
            name: Variable(
                _array(table, (selection.group, name), data_keys[name], order)
                if selection.group == "data"
                else _array(table, (selection.group, name), {"dtype": "number"}, order),
                data_keys[name],
                devices.get(name),
                selection.group == "data",
            )
            for name in names
            if not _is_streamed(data_keys[name]) or (selection.group, name) in table.columns
        },
    )
    if selection.group == "data":
        for name, variable in read.variables.items():
            _warn_of_shape(name, variable)
    return read


def _warn_of_shape(name: str, variable: Variable) -> None:
    """Warn where the data have another shape than their descriptor declares."""
    declared, shape = variable.data_key.get("shape"), variable.values.shape[1:]
    if declared is None or len(variable.values) == 0 or is_external(variable.data_key):
        return
    if not _fits(declared, shape):
        warnings.warn(
            f"The descriptor declares the shape {list(declared)} for {name!r}, but each row of "
            f"the data has the shape {list(shape)}"
            f"{' of objects' if variable.values.dtype.kind == 'O' else ''}, which is used.",
            MetadataWarning,
            stacklevel=2,
        )


def _fits(declared: Sequence[Any], shape: Sequence[int]) -> bool:
    """Tell whether a shape is the declared one; only sizes that are numbers bind."""
    return len(declared) == len(shape) and all(
        size == of_data for size, of_data in zip(declared, shape, strict=True) if type(size) is int
    )


def _merged(
    descriptors: Sequence[JSONDocument], data_keys_of: Callable[[JSONDocument], Mapping[str, Any]]
) -> dict[str, Mapping[str, Any]]:
    """Return the union of data keys; the first descriptor that has one says what it is."""
    merged: dict[str, Mapping[str, Any]] = {}
    for descriptor in descriptors:
        for name, data_key in data_keys_of(descriptor).items():
            merged.setdefault(name, data_key)
    return merged


def _is_streamed(data_key: Mapping[str, Any]) -> bool:
    """Tell whether the data come by Stream Datums, and so are in no Event."""
    return str(data_key.get("external", "")).startswith("STREAM:")


def is_external(data_key: Mapping[str, Any]) -> bool:
    """Tell whether Events hold datum_ids in place of the data."""
    return bool(data_key.get("external")) and not _is_streamed(data_key)


def _with_external(
    table: Table,
    descriptor: JSONDocument,
    names: Sequence[str],
    selection: Selection,
    external: External,
) -> Table:
    """Return the table with data in place of datum_ids."""
    data_keys = descriptor.get("data_keys", {})
    filled = {
        ("data", name): external(descriptor, name)
        for name in names
        if selection.group == "data"
        and ("data", name) in table.columns
        and is_external(data_keys.get(name, {}))
    }
    return Table(table.count, {**table.columns, **filled}) if filled else table


def _order(table: Table) -> np.ndarray | None:
    """Return the order of arrival, None where the rows are in it."""
    ordinals = table.columns[ORDINAL].to_numpy()
    return None if (np.diff(ordinals) > 0).all() else np.argsort(ordinals, kind="stable")


def _array(
    table: Table, key: tuple[str, str], data_key: Mapping[str, Any], order: np.ndarray | None
) -> np.ndarray:
    if table.count == 0:
        return _empty(data_key)
    column = table.columns.get(key)
    values = np.full(table.count, np.nan) if column is None else column.to_numpy()
    return values if order is None else values[order]


def _empty(data_key: Mapping[str, Any]) -> np.ndarray:
    """Return no rows, of the dtype and shape that the descriptor declares."""
    shape = [size for size in data_key.get("shape") or () if isinstance(size, int) and size >= 0]
    try:
        dtype = np.dtype(data_key.get("dtype_numpy") or DTYPES[data_key["dtype"]])
    except (KeyError, TypeError):
        dtype = np.dtype(float)
    return np.empty((0, *shape), dtype=dtype)


def _devices(descriptors: Sequence[JSONDocument]) -> dict[str, str]:
    """Return which device each data key belongs to."""
    return {
        name: device
        for descriptor in reversed(descriptors)
        for device, names in descriptor.get("object_keys", {}).items()
        for name in names
    }


def device_names(descriptors: Sequence[JSONDocument]) -> list[str]:
    """Return the devices of a stream, in order."""
    return list(
        dict.fromkeys(
            device
            for descriptor in descriptors
            for device in (*descriptor.get("object_keys", {}), *descriptor.get("configuration", {}))
        )
    )


def _configuration(
    store: RunStore,
    uid: str,
    descriptors: Sequence[JSONDocument],
    selection: Selection,
    device: str,
) -> Frame:
    """Return the configuration of a device, a row for each Event."""
    tables = [store.columns(uid, d["uid"], [("", "time"), ORDINAL]) for d in descriptors]
    table = concatenated(tables) if tables else Table(0)
    order = _order(table) if len(descriptors) > 1 and table.count else None
    which = np.repeat(np.arange(len(tables)), [part.count for part in tables])
    which = which if order is None else which[order]
    settings = [d.get("configuration", {}).get(device, {}) for d in descriptors]
    data_keys = _merged(settings, lambda setting: setting.get("data_keys", {}))
    seen = dict.fromkeys(n for setting in settings for n in setting.get(selection.group, {}))
    names = selection.of(list(data_keys | {name: {} for name in seen if name not in data_keys}))
    variables = {}
    for name in names:
        values = [setting.get(selection.group, {}).get(name, ABSENT) for setting in settings]
        data_key = data_keys.get(name, {})
        array = Column.of(values).to_numpy()
        array = array[which] if table.count else array[:0]
        variables[name] = Variable(array, data_key, device, selection.group == "data")
    return Frame(_array(table, ("", "time"), {"dtype": "number"}, order), variables)


def dataset(read: Frame) -> "xarray.Dataset":
    """Return columns as an xarray Dataset.

    The rows lie along the dimension ``time``. Further dimensions have the names that the data key
    gives in ``dims``, else ``dim_0``, ``dim_1``, …, numbered through the whole Dataset.
    """
    import xarray

    names = _Dimensions()
    variables = {}
    for name, variable in read.variables.items():
        dims = names.of(name, variable)
        attributes = _attributes(variable)
        # The fast path leaves objects alone: None is not to become NaN.
        array = xarray.Variable(dims, variable.values, attributes, fastpath=True)
        variables[_free_name(name)] = array
    if not variables:
        return xarray.Dataset()
    times = xarray.Variable(("time",), read.times)
    return xarray.Dataset(variables, coords={"time": times})


def _free_name(name: str) -> str:
    """Return the name, unless it is that of the coordinate."""
    if name != "time":
        return name
    warnings.warn(
        "The data key 'time' has the name of the coordinate; its variable is called 'time_'.",
        MetadataWarning,
        stacklevel=2,
    )
    return "time_"


@dataclass(slots=True)
class _Dimensions:
    """Gives names to the dimensions of variables, one after the other."""

    count: int = 0
    sizes: dict[str, int] = field(default_factory=dict)

    def of(self, name: str, variable: Variable) -> tuple[str, ...]:
        shape = variable.values.shape[1:]
        declared = variable.data_key.get("dims") if variable.is_data else None
        if declared and self._fits(name, declared, shape):
            return ("time", *declared)
        numbers = range(self.count, self.count + len(shape))
        self.count += len(shape)
        return ("time", *(f"dim_{number}" for number in numbers))

    def _fits(self, name: str, declared: Sequence[str], shape: tuple[int, ...]) -> bool:
        """Tell whether declared dimensions can be used, and remember their sizes."""
        sizes = dict(zip(declared, shape, strict=False))
        if (
            len(sizes) == len(declared) == len(shape)
            and "time" not in sizes
            and all(self.sizes.get(dim, size) == size for dim, size in sizes.items())
        ):
            self.sizes |= sizes
            return True
        warnings.warn(
            f"The descriptor names the dimensions {list(declared)} of {name!r}, which do not fit "
            f"its shape {shape} beside the other variables; they are numbered instead.",
            MetadataWarning,
            stacklevel=2,
        )
        return False


def _attributes(variable: Variable) -> dict[str, Any]:
    attributes = {} if variable.device is None else {"object": variable.device}
    if variable.is_data:
        attributes |= {
            name: variable.data_key[name]
            for name in ATTRIBUTES
            if variable.data_key.get(name) is not None
        }
    return attributes


def lazy_dataset(read: Frame) -> "xarray.Dataset":
    """Return columns as an xarray Dataset of dask arrays."""
    import dask.array

    whole = dataset(read)
    return whole.assign(
        {
            name: (variable.dims, dask.array.from_array(variable.values), variable.attrs)
            for name, variable in whole.data_vars.items()
        }
    )
