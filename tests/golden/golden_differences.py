"""Where our answers differ from those of databroker 1.2.5 on purpose: each with our answer.

``docs/explanations/oddities.md`` gives the reasons to users, naming each case.
"""

import json
from dataclasses import dataclass
from typing import Any, TypeAlias

from golden_runs import EPOCH, LOOKUP_UIDS, run_uid

Brief: TypeAlias = dict[str, Any]
"""A Dataset, one line a variable: ``float64 (time: 2) [1.0, 2.0]``."""


def column(dtype: str, values: list[Any], **sizes: int) -> str:
    """Say a variable of a Dataset; its further dimensions by name."""
    shape = {"time": len(values), **sizes}
    dims = ", ".join(f"{dim}: {size}" for dim, size in shape.items())
    return f"{dtype} ({dims}) {json.dumps(values)}"


def dataset(seconds: list[float], *, warns: list[str] | None = None, **columns: str) -> Brief:
    """Say a Dataset with Events at these seconds of the Run."""
    return joined(seconds, columns, warns)


def joined(seconds: list[float], columns: dict[str, str], warns: list[str] | None) -> Brief:
    time = column("float64", [EPOCH + second for second in seconds])
    return columns | {"time": time} | ({"warns": warns} if warns else {})


def readings(seconds: list[float], *names: str, warns: list[str] | None = None) -> Brief:
    """Say the timestamps of Events: each reading is half a second older than its Event."""
    return joined(seconds, dict.fromkeys(names, stamps(*seconds)), warns)


def stamps(*seconds: float | None) -> str:
    """Say the timestamps of one data key, where some Events have none."""
    return column("float64", ["NaN" if s is None else EPOCH + s - 0.5 for s in seconds])


def settings(seconds: list[float], *names: str) -> Brief:
    """Say the timestamps of settings, which were read ten seconds before the Run."""
    taken = column("float64", [EPOCH - 10] * len(seconds))
    return joined(seconds, dict.fromkeys(names, taken), None)


def replay(case: str, *documents: str) -> list[list[Any]]:
    """Say what ``documents(fill='no')`` gives of a Run, its Events as ``'uid seq_num'``."""
    given: list[list[Any]] = [["start", run_uid(case), "Start"]]
    for document in documents:
        uid, *seq_num = document.split()
        full = f"{case}-{uid}"
        page = ["event_page", [full], [int(seq_num[0])], "dict"] if seq_num else None
        given.append(page or ["descriptor", full, "Descriptor"])
    return [*given, ["stop", f"{case}-stop", "Stop"]]


INT, FLOAT, OBJECT = "int64", "float64", "object"
MISFIT = ["MetadataWarning"]

IN_RUNS: dict[str, dict[str, Any]] = {
    "key_added": {
        "primary.read": dataset(
            [1, 2, 3], a=column(INT, [1, 2, 3]), b=column(FLOAT, ["NaN", "NaN", 30.0])
        ),
        "primary.timestamps": dataset([1, 2, 3], a=stamps(1, 2, 3), b=stamps(None, None, 3)),
    },
    "key_removed": {
        "primary.read": dataset(
            [1, 2, 3], a=column(INT, [1, 2, 3]), b=column(FLOAT, [10.0, "NaN", "NaN"])
        ),
        "primary.timestamps": dataset([1, 2, 3], a=stamps(1, 2, 3), b=stamps(1, None, None)),
    },
    "equal_times_same_values": {
        "primary.read": dataset([1, 2, 2, 3], a=column(INT, [1, 2, 2, 3])),
        "primary.timestamps": readings([1, 2, 2, 3], "a"),
    },
    "equal_times_other_values": {
        "primary.read": dataset([1, 2, 2, 3], a=column(INT, [1, 2, 20, 3])),
        "primary.timestamps": readings([1, 2, 2, 3], "a"),
        "primary.config[det]": dataset(
            [1, 2, 2, 3], det_exposure=column(FLOAT, [0.1, 0.1, 0.2, 0.2])
        ),
        "primary.config_timestamps[det]": settings([1, 2, 2, 3], "det_exposure"),
    },
    "interleaved_descriptors": {
        "primary.read": dataset([1, 2, 3, 4], a=column(INT, [1, 2, 3, 4])),
    },
    "array_under_two_descriptors": {
        "primary.read": dataset([1, 2], a=column(OBJECT, [[1, 2], [3, 4, 5]]), warns=MISFIT),
        "primary.timestamps": readings([1, 2], "a"),
    },
    "no_events": {
        "primary.read": dataset(
            [],
            x=column(FLOAT, []),
            n=column(INT, []),
            s=column("<U1", []),
            b=column("bool", []),
            v=column(FLOAT, [], dim_0=3),
            image=column(FLOAT, [], dim_1=2, dim_2=2),
        ),
        "primary.timestamps": readings([], "x", "n", "s", "b", "v", "image"),
    },
    "descriptor_without_a_name": {
        "documents(fill='no')": replay("descriptor_without_a_name", "d1", "e1 1", "e2 2"),
        "primary.descriptors": ["descriptor_without_a_name-d1"],
        "primary.list(config)": ["det"],
        "primary.read": dataset([1, 2], a=column(INT, [1, 2])),
        "primary.timestamps": readings([1, 2], "a"),
        "primary.config[det]": dataset([1, 2], det_exposure=column(FLOAT, [0.1, 0.1])),
        "primary.config_timestamps[det]": settings([1, 2], "det_exposure"),
    },
    "none_among_floats": {
        "primary.read": dataset([1, 2, 3], a=column(FLOAT, [1.5, "NaN", 2.5])),
    },
    "number_then_string": {
        "primary.read": dataset([1, 2], a=column(OBJECT, [1.5, "off"])),
    },
    "arrays": {"primary.timestamps": readings([1, 2], "a", "b", "c", "d")},
    "arrays_with_dims": {"primary.timestamps": readings([1, 2], "spectrum", "image", "plain")},
    "dims_that_conflict": {
        "primary.read": dataset(
            [1, 2],
            short=column(INT, [[1, 2], [1, 2]], energy=2),
            long=column(INT, [[1, 2, 3], [1, 2, 3]], dim_0=3),
            warns=MISFIT,
        ),
        "primary.timestamps": readings([1, 2], "short", "long"),
    },
    "dims_with_time": {
        "primary.read": dataset(
            [1, 2], spectrum=column(INT, [[1, 2, 3], [1, 2, 3]], dim_0=3), warns=MISFIT
        ),
        "primary.timestamps": readings([1, 2], "spectrum"),
    },
    "dims_too_few": {
        "primary.read": dataset(
            [1, 2],
            image=column(INT, [[[1, 2, 3], [4, 5, 6]]] * 2, dim_0=2, dim_1=3),
            warns=MISFIT,
        ),
        "primary.timestamps": readings([1, 2], "image"),
    },
    "ragged": {
        "primary.read": dataset(
            [1, 2], a=column(OBJECT, [[1, 2], [3, 4, 5]]), b=column(INT, [1, 2]), warns=MISFIT
        ),
        "primary.timestamps": readings([1, 2], "a", "b"),
    },
    "empty_arrays": {"primary.timestamps": readings([1, 2], "a")},
    "arrays_of_strings": {"primary.timestamps": readings([1, 2], "a")},
    "wrong_declared_shape": {
        "primary.read": dataset(
            [1, 2],
            a=column(INT, [[1, 2, 3], [4, 5, 6]], dim_0=3),
            b=column(FLOAT, [1.0, 2.0]),
            warns=MISFIT,
        ),
        "primary.timestamps": readings([1, 2], "a", "b"),
    },
    "array_declared_as_scalar": {
        "primary.read": dataset(
            [1, 2], a=column(INT, [[1, 2, 3], [4, 5, 6]], dim_0=3), warns=MISFIT
        ),
    },
    "scalar_declared_as_array": {
        "primary.read": dataset([1, 2], a=column(INT, [1, 2]), warns=MISFIT),
        "primary.timestamps": readings([1, 2], "a"),
    },
    "missing_key": {
        "primary.read": dataset([1, 2], a=column(INT, [1, 2]), b=column(FLOAT, [1.0, "NaN"])),
        "primary.timestamps": dataset([1, 2], a=stamps(1, 2), b=stamps(1, None)),
    },
    "key_named_time": {
        "primary.read": dataset(
            [1, 2], time_=column(FLOAT, [5.0, 6.0]), a=column(INT, [1, 2]), warns=MISFIT
        ),
        "primary.timestamps": readings([1, 2], "time_", "a", warns=MISFIT),
    },
    "rich_configuration": {
        "primary.list(config)": ["det", "motor"],
        "primary.config[motor]": {},
        "primary.config_timestamps[motor]": {},
        "primary.config_timestamps[det]": settings(
            [1, 2, 3],
            "det_exposure",
            "det_bins",
            "det_live",
            "det_label",
            "det_nothing",
            "det_edges",
            "det_matrix",
            "det_names",
        ),
    },
    "two_streams": {
        "documents(fill='no')": replay(
            "two_streams", "d1", "d2", "z1 1", "y1 1", "z2 2", "y2 2", "y3 3", "x3 3"
        ),
    },
    "external": {
        "primary.read": dataset([1, 2], a=column(INT, [1, 2]), warns=["ExternalDataWarning"]),
        "primary.timestamps": readings([1, 2], "a", "image"),
    },
}
"""About Runs: case → question → our answer."""


@dataclass(frozen=True)
class Raises:
    """An error of this class, or of one that is made from it."""

    error: str


@dataclass(frozen=True)
class Begins:
    """A text that begins so."""

    text: str


@dataclass(frozen=True)
class Holds:
    """A list with these items among others, or a mapping with these keys."""

    items: frozenset[str]


@dataclass(frozen=True)
class Shows:
    """An object whose repr begins so."""

    text: str


def runs_of(*names: str) -> list[dict[str, str]]:
    """Say a list of Runs of the catalog for look-ups."""
    return [run_of(name) for name in names]


def run_of(name: str) -> dict[str, str]:
    return {"type": "databroker", "repr": f"<BlueskyRun uid='{LOOKUP_UIDS[name]}'>"}


def uids_of(*names: str) -> list[str]:
    return [LOOKUP_UIDS[name] for name in names]


def described_catalog(name: str) -> dict[str, Any]:
    """Say how intake shows a catalog."""
    return {
        "name": name,
        "container": "catalog",
        "plugin": [None],
        "description": "",
        "direct_access": "forbid",
        "user_parameters": [],
        "metadata": {},
        "args": {},
    }


NEWEST_FIRST = ("newest", "digits", "twin two", "twin one", "oldest")
FILTERED = "list(cat.filter(lambda entry: entry.describe()['metadata']['start']['scan_id'] == 2))"
SCANS = "cat.search({'plan_name': 'scan'})"
IN_LOOKUP: dict[str, Any] = {
    "list(cat)": uids_of(*NEWEST_FIRST),
    "list(cat.keys())": uids_of(*NEWEST_FIRST),
    "list(cat.walk())": uids_of(*NEWEST_FIRST),
    "cat._ipython_key_completions_()": uids_of(*NEWEST_FIRST),
    "[(uid, type(run).__name__) for uid, run in cat.items()]": [
        [uid, "BlueskyRun"] for uid in uids_of(*NEWEST_FIRST)
    ],
    FILTERED: uids_of("twin two", "twin one"),
    "cat[1.5]": Raises("TypeError"),
    "cat['12345678']": run_of("digits"),
    "cat[:]": runs_of(*reversed(NEWEST_FIRST)),
    "cat[-2:]": runs_of("digits", "newest"),
    "cat[0:2]": Raises("ValueError"),
    "cat[[-1, -2]]": runs_of("newest", "digits"),
    "cat[['aaaa', 'ffff']]": runs_of("oldest", "newest"),
    "cat[-1, -2]": Raises("KeyError"),
    "cat['aaaa', 'primary']": Raises("KeyError"),
    "'aaaa' in cat": True,
    "'abcd' in cat": True,
    "-1 in cat": True,
    "7 in cat": True,
    "str(cat)": Begins("temp: 5 Runs in "),
    "pretty(cat)": Begins("temp: 5 Runs in "),
    f"str({SCANS})": Begins("search results: 2 Runs in "),
    "[name for name in dir(cat) if not name.startswith('_')]": Holds(
        frozenset({"handler_registry", "insert", "metadata", "name", "search", "v1"})
    ),
    "sorted(cat.search({'scan_id': {'$nope': 2}}))": Raises("UnsupportedQueryError"),
    "sorted(cat.search({'$text': {'$search': 'scan'}}))": uids_of("twin one", "twin two"),
    "sorted(cat.search(queries.TextQuery('scan')))": uids_of("twin one", "twin two"),
    "cat.describe()": described_catalog("temp"),
    "cat.describe()['metadata']": {},
    f"{SCANS}.describe()": described_catalog("search results"),
    "cat.entry": Raises("AttributeError"),
    "cat.pop('aaaa')": Raises("AttributeError"),
    "cat.search(None)": {"type": "databroker", "repr": "<Intake catalog: search results>"},
    "type(temp).__name__": "Broker",
    "[c.__name__ for c in type(cat).__mro__]": Holds(frozenset({"Broker", "Catalog"})),
}
"""About a catalog of five Runs: expression → our answer."""


def time_last(answer: Any) -> Any:
    """Put the coordinate behind the data: 1.x names it first in ``dataset.variables``."""
    return [*(name for name in answer if name != "time"), *({"time"} & set(answer))]


START = {"uid": run_uid("one_descriptor"), "time": EPOCH, "scan_id": 1, "plan_name": "count"}
STOP = {
    "uid": "one_descriptor-stop",
    "run_start": run_uid("one_descriptor"),
    "time": EPOCH + 100,
    "exit_status": "success",
    "reason": "",
    "num_events": {"primary": 3},
}
DOCUMENT = {"uid": run_uid("one_descriptor"), "time": EPOCH, "nested": {"list": [1, 2]}}
DESCRIBED = ["args", "container", "description", "direct_access", "metadata", "name", "plugin"]
KEYS_ASKED = (
    "for key in ('container', 'description', 'direct_access', 'name', 'plugin', 'user_parameters')"
)
WITHOUT_ORDER = "fill='no', strict_order=False"
PARTITION = "'fill': 'no', 'partition_size': 'auto'"
SELECTED = "stream(include=['motor'])"
CONFIGURED = "stream.configure_new(include=['motor'])"
SOURCE = {"object": "det", "source": "SIM:made up"}
VARIABLES = "for name, variable in stream.read().variables.items()"
IN_BEHAVIOR: dict[str, Any] = {
    # documents
    "pretty_of(doc)": f"Start({DOCUMENT!r})",
    "type(copy.copy(doc)).__name__": "Start",
    "copy.copy(doc) == doc": True,
    "type(operator.ior(core.Start({'uid': 'x'}), {'a': 1})).__name__": Raises("NotMutable"),
    "setattr(core.Start(), 'a', 1)": Raises("AttributeError"),
    "[c.__name__ for c in core.NotMutable.__mro__]": Holds(frozenset({"NotMutable", "TypeError"})),
    "[c.__name__ for c in core.PartitionIndexError.__mro__]": Holds(
        frozenset({"PartitionIndexError", "IndexError"})
    ),
    "dask_tokenize(doc) == dask_tokenize(core.Start({'uid': doc['uid']}))": False,
    "dask_tokenize(core.Event({'uid': 'x'})) == dask_tokenize(core.Event({'uid': 'x', 'a': 1}))": (
        False
    ),
    "dask_tokenize(core.Datum({'datum_id': 'x'}))"
    " == dask_tokenize(core.Datum({'datum_id': 'x', 'a': 1}))": False,
    "dask_tokenize(core.Document({'a': 1}))": Begins(""),
    # Runs
    "type(run).__mro__[1].__name__": "Catalog",
    f"[run.describe()[key] {KEYS_ASKED}]": [
        "bluesky-run",
        "",
        "forbid",
        run_uid("one_descriptor"),
        ["catalog"],
        [],
    ],
    "sorted(run.describe())": [*DESCRIBED, "user_parameters"],
    "run.shape": [1],
    "run.npartitions": 1,
    "run.version": 1,
    "run.description": None,
    "run.kwargs": {"name": run_uid("one_descriptor"), "ttl": None},
    "sorted(run.discover())": ["container", "dtype", "metadata", "npartitions", "shape"],
    "run.entry": Raises("AttributeError"),
    "type(run.cat).__name__": "Broker",
    "run.documents(fill=True)": Raises("ValueError"),
    f"summaries(run, {WITHOUT_ORDER})": [
        ["start", run_uid("one_descriptor"), "Start"],
        ["descriptor", "one_descriptor-d1", "Descriptor"],
        ["event_page", [f"one_descriptor-e{i}" for i in (1, 2, 3)], [1, 2, 3], "dict"],
        ["stop", "one_descriptor-stop", "Stop"],
    ],
    f"[page['seq_num'] for page in event_pages(run, {WITHOUT_ORDER})]": [[1, 2, 3]],
    f"[name for name, _ in run.canonical({WITHOUT_ORDER})]": [
        "start",
        "descriptor",
        "event_page",
        "stop",
    ],
    "run['primary', 'a']": Raises("KeyError"),
    "[name for name in dir(run) if not name.startswith('_')]": Holds(
        frozenset({"documents", "get_file_list", "metadata", "primary", "start", "stop"})
    ),
    "run.start": START,
    "run.stop": STOP,
    "run.uid": run_uid("one_descriptor"),
    "run == cat[run_start_uid]": False,
    "pickle.loads(pickle.dumps(run)).metadata['start']['uid']": run_uid("one_descriptor"),
    "run.read_partition(0)": Raises("NotImplementedError"),
    # streams
    f"{CONFIGURED} is {CONFIGURED}": False,
    f"{SELECTED} is {SELECTED}": False,
    f"{SELECTED}.metadata == stream.metadata": True,
    f"list({SELECTED}.timestamps.read().variables)": ["motor", "time"],
    "list(stream(include='motor').read().variables)": ["motor", "time"],
    "repr(stream.config)": "<Configuration of det>",
    "type(stream.config).__name__": "DeviceConfigurations",
    "pretty(stream)": Begins("<BlueskyEventStream 'primary' from Run 1e68670e...>: 3 Events\n"),
    "sorted(stream.describe())": [*DESCRIBED, "user_parameters"],
    f"[stream.describe()[key] {KEYS_ASKED}]": [
        "bluesky-event-stream",
        "",
        "forbid",
        "primary",
        [None],
        [],
    ],
    "stream.shape": [3],
    "stream.npartitions": 1,
    "stream.version": "1",
    "stream.description": None,
    "type(stream.entry).__name__": Raises("NoEntry"),
    "stream.discover()['shape']": [3],
    "sorted(stream.discover()['metadata'])": ["descriptors", "start", "stop"],
    "stream.read() is stream.read()": False,
    f"{{name: variable.attrs {VARIABLES}}}": {
        "motor": {**SOURCE, "units": "mm", "precision": 3},
        "det": {**SOURCE, "units": "counts", "long_name": "the detector"},
        "mode": {**SOURCE, "choices": ["slow", "fast"]},
        "time": {},
    },
    "(lambda s: s.to_dask() is s.to_dask())(fresh())": False,
    "(lambda s: s.to_dask() is s.read())(fresh())": False,
    "fresh().to_dask()['motor'].chunks": [[3]],
    "stream.read()['time'].values.flags.writeable": False,
    f"[name for name, _ in stream.read_partition({{'index': 0, {PARTITION}}})]": Raises(
        "IndexError"
    ),
    f"stream.read_partition({{'index': 99, {PARTITION}}})": Raises("IndexError"),
    "stream.read_partition(0)": Holds(frozenset({"motor", "det", "mode"})),
    "stream['motor']": Shows("<xarray.DataArray 'motor' (time: 3)>"),
    "len(stream)": 3,
    "list(stream)": ["motor", "det", "mode"],
    "[name for name in dir(stream) if not name.startswith('_')]": Holds(
        frozenset({"config", "config_timestamps", "metadata", "read", "timestamps", "to_dask"})
    ),
    "pickle.loads(pickle.dumps(stream)).read()['motor'].values": [0.0, 0.5, 1.0],
    "run.search({})": Raises("NotImplementedError"),
    # external data; warnings are errors here
    "blind['primary'].read()": Raises("ExternalDataWarning"),
    "blind['primary'].to_dask()": Raises("ExternalDataWarning"),
    "described(ext['primary'].read())": {
        "dims": {"time": 2, "dim_0": 2, "dim_1": 3},
        "coords": ["time"],
        "data_vars": ["a", "image"],
        "attrs": {},
        "variables": {
            "a": {
                "dims": ["time"],
                "shape": [2],
                "dtype": "int64",
                "kind": "i",
                "values": [1, 2],
                "attrs": SOURCE,
            },
            "image": {
                "dims": ["time", "dim_0", "dim_1"],
                "shape": [2, 2, 3],
                "dtype": "uint16",
                "kind": "u",
                "values": [[[1, 1, 1], [1, 1, 1]], [[2, 2, 2], [2, 2, 2]]],
                "attrs": SOURCE,
            },
            "time": {
                "dims": ["time"],
                "shape": [2],
                "dtype": "float64",
                "kind": "f",
                "values": [EPOCH + 1, EPOCH + 2],
                "attrs": {},
            },
        },
    },
    # by hand, pages, transforms
    "by_hand()": Shows("<BlueskyRun uid="),
    "by_hand_with_entry(transforms=None)": Shows("<BlueskyRun uid="),
    "by_hand_with_entry(transforms={})": Shows("<BlueskyRun uid="),
    "core.to_event_pages(cursor_of(3), 2)": Shows("<databroker.catalogs.caches.PartitionedPages "),
    "[c.__name__ for c in core.BlueskyRunFromGenerator.__mro__]": Holds(
        frozenset({"BlueskyRun", "Catalog", "DataSource"})
    ),
    "[c.__name__ for c in core.BlueskyEventStream.__mro__]": Holds(
        frozenset({"BlueskyEventStream", "DataSource"})
    ),
    "catalog_with(start=lambda d: 1 / 0)[-1]": Shows("<BlueskyRun uid="),
}
"""About everything else: expression → our answer."""
