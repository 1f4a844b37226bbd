"""What `read()` makes of the columns of a stream."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import pytest
import xarray
from hypothesis import given
from hypothesis import strategies as st

from databroker.core import BlueskyEventStream, BlueskyRun
from databroker.errors import (
    DatabrokerError,
    DataKeyNotFoundError,
    InvalidSettingError,
    MetadataWarning,
)
from databroker.testing import documents as made_up
from databroker.testing.documents import TIME, Run, RunBuilder, data_key
from databroker.v2 import Broker

Record: TypeAlias = Callable[..., BlueskyRun]
Row: TypeAlias = Mapping[str, Any]

PAIR, TRIPLE = [1, 2], [1.0, 2.0, 3.0]
MATRIX = [[1, 2, 3], [4, 5, 6]]


def run_of(rows: Sequence[Row], data_keys: Mapping[str, Any] | None = None, **items: Any) -> Run:
    """Compose a Run of one stream; data keys fit the first row unless they are given."""
    run = RunBuilder("a stream")
    first = rows[0] if rows else {}
    fitting = {name: data_key(value) for name, value in first.items()}
    primary = run.descriptor(first, data_keys=fitting | dict(data_keys or {}), **items)
    for row in rows:
        run.event(primary, row)
    run.stop()
    return run.documents


def stream_in_memory(rows: Sequence[Row], **data_keys: Any) -> BlueskyEventStream:
    catalog = Broker()
    for name, doc in run_of(rows, data_keys):
        catalog.insert(name, doc)
    return catalog[-1]["primary"]


def dims_of(dataset: xarray.Dataset) -> dict[str, tuple[Any, ...]]:
    return {str(name): variable.dims for name, variable in dataset.data_vars.items()}


# -- dimensions ------------------------------------------------------------------------------------


def test_dimensions_are_numbered_through_the_dataset(record: Record) -> None:
    row = {"image": MATRIX, "scalar": 1.5, "spectrum": TRIPLE, "again": MATRIX}
    dataset = record(run_of([row, row])).primary.read()

    assert dims_of(dataset) == {
        "image": ("time", "dim_0", "dim_1"),
        "scalar": ("time",),
        "spectrum": ("time", "dim_2"),
        "again": ("time", "dim_3", "dim_4"),
    }
    assert dict(dataset.sizes) == {
        "time": 2, "dim_0": 2, "dim_1": 3, "dim_2": 3, "dim_3": 2, "dim_4": 3
    }  # fmt: skip
    assert dataset["image"].values.tolist() == [MATRIX, MATRIX]


def test_declared_dimensions_are_used_and_shared(record: Record) -> None:
    row = {"image": MATRIX, "numbered": PAIR, "profile": TRIPLE}
    declared = {
        "image": data_key(MATRIX, dims=["y", "x"]),
        "profile": data_key(TRIPLE, dims=("x",)),
    }
    dataset = record(run_of([row], declared)).primary.read()

    assert dims_of(dataset) == {
        "image": ("time", "y", "x"),
        "numbered": ("time", "dim_0"),
        "profile": ("time", "x"),
    }


@pytest.mark.parametrize(
    "dims",
    [["x"], ["time"], ["x", "y"], [["x"]], 5],
    ids=["another size", "time", "too many", "no texts", "no list"],
)
def test_declared_dimensions_that_do_not_fit_are_numbered_with_a_warning(
    record: Record, dims: Any
) -> None:
    row = {"image": MATRIX, "pair": PAIR}
    declared = {
        "image": data_key(MATRIX, dims=["y", "x"]),
        "pair": data_key(PAIR, dims=dims),
    }
    stream = record(run_of([row], declared)).primary
    with pytest.warns(MetadataWarning, match="'pair'") as warned:
        dataset = stream.read()

    assert dims_of(dataset) == {"image": ("time", "y", "x"), "pair": ("time", "dim_0")}
    assert dataset["pair"].values.tolist() == [PAIR]
    assert len(warned) == 1


@pytest.mark.parametrize("declares", ["first", "second"])
@pytest.mark.filterwarnings("ignore::databroker.errors.MetadataWarning")
def test_a_declared_dimension_with_the_name_of_a_numbered_one_spoils_nothing(
    record: Record, declares: str
) -> None:
    row = {"first": PAIR, "second": TRIPLE}
    declared = {declares: data_key(row[declares], dims=["dim_0"])}
    dataset = record(run_of([row], declared)).primary.read()

    assert dataset["first"].values.tolist() == [PAIR]
    assert dataset["second"].values.tolist() == [TRIPLE]
    assert len({*dataset["first"].dims, *dataset["second"].dims}) == 3


def test_timestamps_of_arrays_have_one_dimension(record: Record) -> None:
    declared = {"image": data_key(MATRIX, dims=["y", "x"])}
    dataset = record(run_of([{"image": MATRIX}] * 2, declared)).primary.timestamps.read()

    assert dims_of(dataset) == {"image": ("time",)}
    assert dataset["image"].dtype == float


# -- names -----------------------------------------------------------------------------------------


def test_a_data_key_named_time_does_not_hide_the_coordinate(record: Record) -> None:
    stream = record(run_of([{"time": 1.5, "x": 2}])).primary
    with pytest.warns(MetadataWarning, match="'time_'"):
        dataset = stream.read()

    assert list(dataset.data_vars) == ["time_", "x"]
    assert dataset["time_"].values.tolist() == [1.5]
    assert dataset["time"].values.tolist() == [pytest.approx(TIME + 0.2)]


@pytest.mark.filterwarnings("ignore::databroker.errors.MetadataWarning")
def test_a_data_key_named_time_is_selected_by_its_name(record: Record) -> None:
    stream = record(run_of([{"time": 1.5, "x": 2}])).primary

    assert list(stream) == ["time", "x"]
    assert stream.read(["time"])["time_"].values.tolist() == [1.5]
    assert stream["time"].compute().values.tolist() == [1.5]


@pytest.mark.filterwarnings("ignore::databroker.errors.MetadataWarning")
def test_data_keys_named_time_and_time_with_an_underscore_are_both_read(record: Record) -> None:
    dataset = record(run_of([{"time": 1.5, "time_": 2.5}])).primary.read()
    values = sorted(variable.item() for variable in dataset.data_vars.values())

    assert values == [1.5, 2.5]


def test_any_text_is_a_data_key(record: Record) -> None:
    row = {"": 1, "é/a.b": 2, "dim_0": 3, "a b\n": 4}
    dataset = record(run_of([row])).primary.read()

    assert {name: variable.item() for name, variable in dataset.data_vars.items()} == row


SHARED_NAMES: dict[str, tuple[Row, dict[str, Any]]] = {
    "its own dimension": ({"x": PAIR}, {"x": data_key(PAIR, dims=["x"])}),
    "one of its dimensions": ({"x": MATRIX}, {"x": data_key(MATRIX, dims=["y", "x"])}),
    "a dimension of another": ({"x": 1.0, "a": PAIR}, {"a": data_key(PAIR, dims=["x"])}),
    "a numbered dimension": ({"dim_0": 1.0, "a": PAIR}, {}),
}
"""Rows, and declared data keys, in which a data key has the name of a dimension."""


@pytest.mark.parametrize("name", SHARED_NAMES)
@pytest.mark.filterwarnings("ignore::databroker.errors.MetadataWarning")
def test_a_data_key_with_the_name_of_a_dimension_is_data(record: Record, name: str) -> None:
    row, declared = SHARED_NAMES[name]
    stream = record(run_of([row, row], declared)).primary
    dataset = stream.read()
    changed = dataset.assign(more=("time", [1, 2])).isel(time=slice(1))

    for found, rows in ((dataset, 2), (changed, 1), (stream.to_dask().compute(), 2)):
        assert set(row) <= {*found.data_vars, *found.coords}
        for key, value in row.items():
            assert found[key].values.tolist() == [value] * rows
    for key, value in row.items():
        assert stream[key].compute().values.tolist() == [value] * 2


# -- attributes ------------------------------------------------------------------------------------


def test_attributes_are_what_the_data_key_says(record: Record) -> None:
    said = {
        "source": "PV:X",
        "units": "mm",
        "precision": 3,
        "long_name": "The position",
        "limits": {"control": {"low": -1.0, "high": 1.0}},
        "choices": ["in", "out"],
    }
    declared = {"x": data_key(1.0, **said, lower_ctrl_limit=1), "y": data_key(1.0, units=None)}
    stream = record(run_of([{"x": 1.0, "y": 2.0}], declared, object_keys={"device": ["x"]})).primary

    assert stream.read()["x"].attrs == {"object": "device", **said}
    assert stream.read()["y"].attrs == {"source": "made up"}
    assert stream.to_dask()["x"].attrs == stream["x"].attrs == {"object": "device", **said}
    assert stream.timestamps.read()["x"].attrs == {"object": "device"}


def test_changing_attributes_changes_nothing_that_is_read_later(record: Record) -> None:
    limits = {"control": {"low": -1.0, "high": 1.0}}
    stream = record(run_of([{"x": 1.0}], {"x": data_key(1.0, limits=limits)})).primary
    stream.read()["x"].attrs["limits"]["control"]["low"] = 5

    assert stream.read()["x"].attrs["limits"] == limits


# -- several descriptors ---------------------------------------------------------------------------


def test_rows_of_several_descriptors_come_in_order_of_arrival(record: Record) -> None:
    dataset = record(made_up.several_descriptors_run(6)).primary.read()

    assert dataset["x"].values.tolist() == [index / 3 for index in range(6)]
    assert dataset["time"].values.tolist() == [TIME + 1 + index // 2 for index in range(6)]
    assert dims_of(dataset) == {"x": ("time",), "old": ("time",), "new": ("time",)}


def test_a_key_of_one_descriptor_is_nan_or_none_in_the_rows_of_others(record: Record) -> None:
    dataset = record(made_up.several_descriptors_run(4)).primary.read()

    np.testing.assert_array_equal(dataset["old"].values, [0.0, np.nan, 2.0, np.nan])
    assert dataset["old"].dtype == float
    assert dataset["new"].values.tolist() == [None, "1", None, "3"]


def test_integers_stay_integers_where_every_row_has_them(record: Record) -> None:
    run = RunBuilder("integers")
    descriptors = [run.descriptor({"n": 0}), run.descriptor({"n": 0, "more": 0})]
    for index in range(4):
        run.event(descriptors[index % 2], {"n": 2**60 + index}, time=TIME)
    dataset = record(run.documents).primary.read()

    assert dataset["n"].dtype == np.int64
    assert dataset["n"].values.tolist() == [2**60 + index for index in range(4)]
    assert dataset["time"].values.tolist() == [TIME] * 4


def test_times_that_are_set_back_do_not_change_the_order_of_rows(record: Record) -> None:
    run = RunBuilder("set back")
    descriptors = [run.descriptor({"n": 0}), run.descriptor({"n": 0})]
    for index in range(6):
        run.event(descriptors[index % 2], {"n": index}, time=TIME - index)
    dataset = record(run.documents).primary.read()

    assert dataset["n"].values.tolist() == list(range(6))
    assert dataset["time"].values.tolist() == [TIME - index for index in range(6)]


def test_the_first_descriptor_of_a_key_says_what_it_is(record: Record) -> None:
    run = RunBuilder("units")
    for units in ("mm", "um"):
        run.event(run.descriptor({}, data_keys={"x": data_key(1.0, units=units)}), {"x": 1.0})

    assert record(run.documents).primary.read()["x"].attrs["units"] == "mm"


def test_configuration_has_the_value_that_held_at_each_row(record: Record) -> None:
    stream = record(made_up.several_descriptors_run(4)).primary
    settings = stream.config["detector"].read()

    assert settings["exposure"].values.tolist() == [0.1, 0.2, 0.1, 0.2]
    assert settings["exposure"].attrs == {"object": "detector", "units": "s", "source": "made up"}
    assert stream.config_timestamps["detector"].read()["exposure"].values.tolist() == [TIME] * 4


# -- what is missing -------------------------------------------------------------------------------

DAY, NEXT_DAY = np.datetime64("2020-01-01"), np.datetime64("2020-01-02")

MISSING = {
    "floats": ([1.5, 2.5], [1.5, np.nan, 2.5], "f"),
    "integers": ([1, 2], [1.0, np.nan, 2.0], "f"),
    "times": ([DAY, NEXT_DAY], [DAY, np.datetime64("NaT"), NEXT_DAY], "M"),
    "texts": (["a", "longer"], ["a", None, "longer"], "O"),
    "booleans": ([True, False], [True, None, False], "O"),
}
"""The values of the first and the last row, the column, and the kind of its dtype."""


@pytest.mark.parametrize("name", MISSING)
def test_a_key_that_an_event_lacks_is_missing_in_its_row(record: Record, name: str) -> None:
    (first, last), expected, kind = MISSING[name]
    rows = [{"x": first}, {}, {"x": last}]
    run = run_of(rows, {"x": data_key("") | {"dtype": "string"}})
    values = record(run).primary.read()["x"].values

    assert values.dtype.kind == kind
    np.testing.assert_array_equal(values, np.array(expected, dtype=values.dtype))


def test_a_key_that_no_event_has_is_nan(record: Record) -> None:
    run = run_of([{"x": 1}, {"x": 2}], {"never": data_key(1)})
    dataset = record(run).primary.read()

    np.testing.assert_array_equal(dataset["never"].values, [np.nan, np.nan])
    assert dataset["x"].dtype == np.int64


def test_none_among_texts_stays_none(record: Record) -> None:
    stream = record(run_of([{"s": "a"}, {"s": None}, {"s": "b"}])).primary

    # xarray's own compute() passes objects through pandas, which makes None NaN.
    for dataset in (stream.read(), stream.to_dask()):
        assert dataset["s"].dtype == object
        assert dataset["s"].values.tolist() == ["a", None, "b"]


@given(st.lists(st.text(max_size=30), min_size=1, max_size=20))
def test_texts_are_never_cut(texts: list[str]) -> None:
    values = stream_in_memory([{"s": text} for text in texts]).read()["s"].values

    assert values.tolist() == texts


def test_texts_of_several_descriptors_are_never_cut(record: Record) -> None:
    run = RunBuilder("texts")
    texts = ["a" * 3**index for index in range(8)]
    for text in texts:
        run.event(run.descriptor({"s": ""}), {"s": text})

    assert record(run.documents).primary.read()["s"].values.tolist() == texts


# -- no Events yet ---------------------------------------------------------------------------------

DECLARED = {
    "number": (data_key(1.0), float, (0,)),
    "integer": (data_key(1), np.int64, (0,)),
    "boolean": (data_key(True), bool, (0,)),
    "string": (data_key(""), np.dtype("<U1"), (0,)),
    "array": (data_key(MATRIX), float, (0, 2, 3)),
    "typed": (data_key(MATRIX, dtype_numpy="<u2"), np.uint16, (0, 2, 3)),
    "unknown": (data_key(1, dtype="nonsense", dtype_numpy="nonsense"), float, (0,)),
}
"""A data key, and the dtype and shape of its column without rows."""


@pytest.mark.parametrize("lazy", [False, True])
def test_a_stream_without_events_has_the_declared_types(record: Record, lazy: bool) -> None:
    run = run_of([], {name: key for name, (key, _, _) in DECLARED.items()})
    stream = record(run).primary
    dataset = stream.to_dask().compute() if lazy else stream.read()
    found = {name: (dataset[name].dtype, dataset[name].shape) for name in DECLARED}

    assert found == {name: (np.dtype(of), shape) for name, (_, of, shape) in DECLARED.items()}
    assert dataset["time"].dtype == float
    assert dataset["time"].shape == (0,)


# -- wrong descriptors -----------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [1, 700])
def test_a_wrong_shape_is_warned_about_once_with_both_shapes(record: Record, rows: int) -> None:
    stream = record(run_of([{"x": MATRIX}] * rows, {"x": data_key(PAIR)})).primary
    with pytest.warns(MetadataWarning) as warned:
        dataset = stream.read()

    (message,) = (str(warning.message) for warning in warned)
    assert "'x'" in message
    assert "[2]" in message
    assert "[2, 3]" in message
    assert dataset["x"].shape == (rows, 2, 3)


@pytest.mark.parametrize("size", [None, "n", 2.5])
def test_sizes_that_are_no_integers_are_not_held_against_the_data(
    record: Record, size: Any
) -> None:
    dataset = record(run_of([{"x": PAIR}], {"x": data_key(PAIR, shape=[size])})).primary.read()

    assert dataset["x"].values.tolist() == [PAIR]


BAD_DATA_KEYS = {"shape is a number": data_key(PAIR, shape=2), "a text": "nonsense", "None": None}


@pytest.mark.parametrize("name", BAD_DATA_KEYS)
@pytest.mark.filterwarnings("ignore::databroker.errors.MetadataWarning")
def test_a_malformed_data_key_does_not_spoil_the_stream(record: Record, name: str) -> None:
    run = run_of([{"bad": PAIR, "good": 1}], {"bad": BAD_DATA_KEYS[name]})
    dataset = record(run).primary.read()

    assert dataset["good"].values.tolist() == [1]
    assert dataset["bad"].values.tolist() == [PAIR]


@pytest.mark.filterwarnings("ignore::databroker.errors.MetadataWarning")
def test_a_malformed_data_key_does_not_spoil_a_stream_without_events(record: Record) -> None:
    run = run_of([], {"bad": data_key(PAIR, shape=2), "good": data_key(1)})

    assert record(run).primary.read()["good"].dtype == np.int64


@pytest.mark.parametrize("item", ["object_keys", "configuration", "hints"])
def test_items_of_a_descriptor_that_are_none_do_not_spoil_the_stream(
    record: Record, item: str
) -> None:
    stream = record(run_of([{"x": 1}], **{item: None})).primary

    assert stream.read()["x"].values.tolist() == [1]
    assert list(stream.config) == ([] if item == "object_keys" else ["x"])


def test_ragged_arrays_are_objects_and_the_others_are_whole(record: Record) -> None:
    stream = record(run_of([{"x": [1, 2], "y": 1}, {"x": [3], "y": 2}])).primary
    with pytest.warns(MetadataWarning, match=r"\[2\] for 'x', .* of objects"):
        dataset = stream.read()

    assert dataset["x"].dtype == object
    assert [row.tolist() for row in dataset["x"].values] == [[1, 2], [3]]
    assert dataset["y"].values.tolist() == [1, 2]


# -- fresh arrays ----------------------------------------------------------------------------------

ROWS = [{"n": 1, "f": 1.5, "s": "a", "b": True, "image": MATRIX, "o": None}] * 3


def test_arrays_are_writable_and_shared_by_no_two_reads(record: Record) -> None:
    stream = record(run_of(ROWS, {"o": data_key("")})).primary
    first, second = stream.read(), stream.read()
    expected = second.copy(deep=True)
    for name in first.data_vars:
        first[name].values[0] = first[name].values[0] * 0 if name in ("n", "f", "image") else None
        assert not np.shares_memory(first[name].values, second[name].values)

    assert first["n"].values.tolist() == [0, 1, 1]
    assert second.identical(expected)
    assert stream.read().identical(expected)


def test_arrays_of_lazy_data_are_shared_with_no_other_read(record: Record) -> None:
    stream = record(run_of(ROWS, {"o": data_key("")})).primary
    stream["n"].compute().values[:] = 7

    assert stream["n"].compute().values.tolist() == [1, 1, 1]


# -- selections ------------------------------------------------------------------------------------


def test_reading_some_data_keys_keeps_the_order_of_the_stream(record: Record) -> None:
    stream = record(run_of([{"a": 1, "b": 2, "c": 3}])).primary

    assert list(stream.read(["c", "a", "c"]).data_vars) == ["a", "c"]
    assert list(stream.read("b").data_vars) == ["b"]
    assert list(stream(exclude=["b"]).read().data_vars) == ["a", "c"]


@pytest.mark.parametrize(
    "ask",
    [lambda stream: stream["zz"], lambda stream: stream.read(["a", "zz"])],
    ids=["item", "read"],
)
def test_an_unknown_data_key_is_named_with_those_that_there_are(
    record: Record, ask: Callable[[BlueskyEventStream], Any]
) -> None:
    stream = record(run_of([{"a": 1, "b": 2}])).primary
    with pytest.raises(DataKeyNotFoundError, match=r"'primary' .* no data key 'zz'; .* a, b\."):
        ask(stream)


def test_an_unknown_device_is_named_with_those_that_there_are(record: Record) -> None:
    stream = record(run_of([{"a": 1}], object_keys={"motor": ["a"]})).primary
    with pytest.raises(DataKeyNotFoundError, match=r"no device 'zz'; it has: motor\."):
        stream.config["zz"]


def test_include_and_exclude_do_not_go_together(record: Record) -> None:
    stream = record(run_of([{"a": 1, "b": 2}])).primary(include=["a"], exclude=["b"])
    with pytest.raises(InvalidSettingError, match="not both"):
        stream.read()


def test_a_column_whose_data_come_by_stream_datums_says_so(record: Record) -> None:
    """There is no way to read it yet: that must be one of our errors, which names the data key."""
    stream = record(made_up.stream_datum_run()).primary

    assert list(stream.read().data_vars) == ["x"]
    with pytest.raises(DatabrokerError, match="image"):
        stream["image"]


# -- a Dataset of any store ------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::databroker.errors.MetadataWarning")
@pytest.mark.parametrize("make", [made_up.array_run, made_up.mixed_types_run, made_up.grid_run])
def test_lazy_data_are_those_that_read_gives(record: Record, make: Callable[[], Run]) -> None:
    run = record(make())
    for name in run:
        lazy, read = run[name].to_dask(), run[name].read()

        assert all(variable.chunks is not None for variable in lazy.data_vars.values())
        assert list(lazy.data_vars) == list(read.data_vars)
        for key in read.data_vars:
            assert lazy[key].dtype == read[key].dtype
            assert lazy[key].dims == read[key].dims
            assert repr(lazy[key].values.tolist()) == repr(read[key].values.tolist())
