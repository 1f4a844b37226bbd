"""The columns of a stream as a labeled Dataset."""

import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from databroker.documents.columns import ABSENT, Column, Table, concatenated
from databroker.documents.descriptors import (
    configuration_of,
    data_keys_of,
    merged_data_keys,
    object_keys_of,
)
from databroker.documents.pages import ORDINAL
from databroker.errors import ExternalDataWarning, InvalidSettingError, MetadataWarning
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
            included = _several(self.include)
            return [name for name in names if name in included]
        excluded = _several(self.exclude or ())
        return [name for name in names if name not in excluded]


def _several(names: Collection[str]) -> Collection[str]:
    """Return names; a text is the name of one."""
    return (names,) if isinstance(names, str) else names


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
    data_keys = merged_data_keys(descriptors)
    names = selection.of(list(data_keys))
    keys = [("", "time"), *((selection.group, name) for name in names)]
    if len(descriptors) > 1:
        keys.append(ORDINAL)
    tables = [store.columns(uid, descriptor["uid"], keys) for descriptor in descriptors]
    if selection.group == "data" and any(is_external(data_keys[name]) for name in names):
        tables = [
            _with_external(table, descriptor, names, external)
            for table, descriptor in zip(tables, descriptors, strict=True)
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
            if (selection.group, name) in table.columns or not _is_elsewhere(data_keys[name], table)
        },
    )
    if selection.group == "data":
        for name, variable in read.variables.items():
            _warn_of_shape(name, variable)
    return read


def _warn_of_shape(name: str, variable: Variable) -> None:
    """Warn where the data have another shape than their descriptor declares."""
    declared, shape = variable.data_key.get("shape"), variable.values.shape[1:]
    if not declared and not shape:
        return
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


def is_streamed(data_key: Mapping[str, Any]) -> bool:
    """Tell whether the data come by Stream Datums, and so are in no Event."""
    return "external" in data_key and str(data_key["external"]).startswith("STREAM:")


def _is_elsewhere(data_key: Mapping[str, Any], table: Table) -> bool:
    """Tell whether a column that is missing has its data in files."""
    return is_streamed(data_key) or (is_external(data_key) and table.count > 0)


def is_external(data_key: Mapping[str, Any]) -> bool:
    """Tell whether Events hold datum_ids in place of the data."""
    return bool(data_key.get("external")) and not is_streamed(data_key)


def _with_external(
    table: Table,
    descriptor: JSONDocument,
    names: Sequence[str],
    external: External,
) -> Table:
    """Return the table with data in place of datum_ids."""
    columns = dict(table.columns)
    for name, data_key in data_keys_of(descriptor).items():
        if is_external(data_key) and name in names and ("data", name) in columns:
            del columns["data", name]
            try:
                columns["data", name] = external(descriptor, name)
            except Exception as error:  # noqa: BLE001 - handlers raise what they like
                _warn_of_external(name, descriptor, error)
    return Table(table.count, columns)


def _warn_of_external(name: str, descriptor: JSONDocument, error: Exception) -> None:
    warnings.warn(
        f"The external data of {name!r}, in the Run {descriptor.get('run_start')}, cannot be read "
        f"and are left out: {type(error).__name__}: {error}",
        ExternalDataWarning,
        stacklevel=3,
    )


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
        for device, names in object_keys_of(descriptor).items()
        for name in names
    }


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
    settings = [configuration_of(descriptor, device) for descriptor in descriptors]
    data_keys = merged_data_keys(settings)
    seen = dict.fromkeys(name for setting in settings for name in setting[selection.group])
    names = selection.of(list(data_keys | {name: {} for name in seen if name not in data_keys}))
    variables = {}
    for name in names:
        data_key = data_keys.get(name, {})
        values = [
            _as_declared(setting[selection.group].get(name, ABSENT), data_key)
            for setting in settings
        ]
        array = Column.of(values).to_numpy()
        array = array[which] if table.count else array[:0]
        variables[name] = Variable(array, data_key, device, selection.group == "data")
    return Frame(_array(table, ("", "time"), {"dtype": "number"}, order), variables)


def _as_declared(value: Any, data_key: Mapping[str, Any]) -> Any:
    """Return the only element of an array where the data key declares a scalar, as EPICS does."""
    is_array = isinstance(value, list | tuple | np.ndarray) and np.shape(value) == (1,)
    return value[0] if is_array and data_key.get("shape") == [] else value


def dataset(read: Frame) -> "xarray.Dataset":
    """Return columns as an xarray Dataset.

    The rows lie along the dimension ``time``. Further dimensions have the names that the data key
    gives in ``dims``, else ``dim_0``, ``dim_1``, …, numbered through the whole Dataset.
    """
    import xarray

    dimensions = _Dimensions(taken=read.variables.keys())
    variables = {}
    for name, variable in read.variables.items():
        free = variable_name(name, read.variables)
        if free != name:
            _warn_of_name(name, free)
        # The fast path leaves objects alone: None is not to become NaN.
        variables[free] = xarray.Variable(
            dimensions.of(name, variable),
            variable.values,
            _attributes(variable),
            fastpath=True,
        )
    if not variables:
        return xarray.Dataset()
    return _assembled(variables, xarray.Coordinates({"time": ("time", read.times)}))


def _assembled(
    variables: dict[str, "xarray.Variable"], coordinates: "xarray.Coordinates"
) -> "xarray.Dataset":
    """Return a Dataset of variables that are known to fit together.

    The constructor copies and checks each variable several times, which takes longer than all the
    rest where there are hundreds; it is used where xarray no longer offers the other way.
    """
    import xarray

    construct = getattr(xarray.Dataset, "_construct_direct", None)
    if construct is None:
        return xarray.Dataset(variables, coords=coordinates)
    return construct(
        {**variables, **coordinates.variables},
        set(coordinates),
        indexes=dict(coordinates.xindexes),
    )


def variable_name(name: str, names: Collection[str]) -> str:
    """Return what the variable of a data key is called: ``time`` is taken by the coordinate."""
    if name != "time":
        return name
    free = "time_"
    while free in names:
        free += "_"
    return free


def _warn_of_name(name: str, free: str) -> None:
    warnings.warn(
        f"The data key {name!r} has the name of the coordinate; its variable is called {free!r}.",
        MetadataWarning,
        stacklevel=3,
    )


@dataclass(slots=True)
class _Dimensions:
    """Gives names to the dimensions of variables, one after the other.

    A dimension with the name of a variable would make a coordinate of it.
    """

    taken: Collection[str]
    count: int = 0
    sizes: dict[str, int] = field(default_factory=dict)

    def of(self, name: str, variable: Variable) -> tuple[str, ...]:
        shape = variable.values.shape[1:]
        declared = variable.data_key.get("dims") if variable.is_data else None
        if declared and self._fits(name, declared, shape):
            return ("time", *declared)
        return ("time", *map(self._numbered, shape))

    def _numbered(self, size: int) -> str:
        """Return the next numbered name that no other dimension has."""
        while (name := f"dim_{self.count}") in self.sizes or name in self.taken:
            self.count += 1
        self.count += 1
        self.sizes[name] = size
        return name

    def _fits(self, name: str, declared: Any, shape: tuple[int, ...]) -> bool:
        """Tell whether declared dimensions can be used, and remember their sizes."""
        are_names = isinstance(declared, list | tuple) and all(isinstance(d, str) for d in declared)
        sizes = dict(zip(declared, shape, strict=False)) if are_names else {}
        if (
            are_names
            and len(sizes) == len(declared) == len(shape)
            and "time" not in sizes
            and sizes.keys().isdisjoint(self.taken)
            and all(self.sizes.get(dim, size) == size for dim, size in sizes.items())
        ):
            self.sizes |= sizes
            return True
        warnings.warn(
            f"The descriptor names the dimensions {declared!r} of {name!r}, which do not fit "
            f"its shape {shape} or the other variables; they are numbered instead.",
            MetadataWarning,
            stacklevel=2,
        )
        return False


def _attributes(variable: Variable) -> dict[str, Any]:
    attributes = {} if variable.device is None else {"object": variable.device}
    if variable.is_data:
        data_key = variable.data_key
        for name in ATTRIBUTES:
            if name in data_key and data_key[name] is not None:
                attributes[name] = data_key[name]
    return attributes


def lazy_dataset(read: Frame) -> "xarray.Dataset":
    """Return columns as an xarray Dataset of dask arrays."""
    import dask.array

    whole = dataset(read)
    return whole.assign(
        {
            name: (
                variable.dims,
                dask.array.from_array(variable.values, chunks=_chunks(variable)),
                variable.attrs,
            )
            for name, variable in whole.data_vars.items()
        }
    )


def _chunks(variable: "xarray.DataArray") -> Any:
    """Return how dask divides an array; the size of objects is not known."""
    return -1 if variable.dtype.kind == "O" else "auto"
