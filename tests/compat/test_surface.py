"""What scripts written for databroker 1.x import, call and print."""

import ast
import copy
import functools
import importlib
import inspect
import json
import operator
import os
import pickle
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import event_model
import golden_runs
import msgpack
import numpy as np
import pytest
import xarray
from golden_runs import EPOCH, Constant
from IPython.lib.pretty import pretty

import databroker
import databroker.v2
from databroker import core, errors, queries, utils
from databroker.core import BlueskyEventStream, BlueskyRun, NotMutable, SingleRunCache, Start
from databroker.testing.comparison import assert_same_documents
from databroker.testing.documents import data_key, numpy_paged, paged
from databroker.v2 import Broker

ROOT = Path(__file__).parents[2]

Named: TypeAlias = tuple[str, Any]


# -- names -----------------------------------------------------------------------------------------

NAMES = {
    "databroker": {"__version__", "catalog_search_path", "core", "open", "queries", "utils", "v2"},
    "databroker.core": {
        "BlueskyEventStream",
        "BlueskyRun",
        "BlueskyRunFromGenerator",
        "Datum",
        "DatumPage",
        "Descriptor",
        "Document",
        "DocumentCache",
        "Entry",
        "Event",
        "EventPage",
        "NotMutable",
        "PartitionIndexError",
        "Resource",
        "SingleRunCache",
        "Start",
        "Stop",
        "StreamEntry",
        "coerce_dask",
        "discover_handlers",
        "parse_handler_registry",
        "parse_transforms",
        "retry",
        "to_datum_pages",
        "to_event_pages",
    },
    "databroker.v2": {"Broker", "temp"},
    "databroker.v1": {"Broker"},
    "databroker.queries": {"Query", "TextQuery", "TimeRange"},
    "databroker.utils": {
        "ALL",
        "DuplicateHandler",
        "LazyMap",
        "apply_to_dict_recursively",
        "catalog_search_path",
        "ensure_path_exists",
        "format_time",
        "get_fields",
        "normalize_human_friendly_time",
        "sanitize_np",
        "transpose",
    },
}
"""The names of 1.x that there are, and `databroker.open`."""

CLASSES = {
    Broker: "databroker.v2.Broker",
    BlueskyEventStream: "databroker.core.BlueskyEventStream",
    BlueskyRun: "databroker.core.BlueskyRun",
    core.BlueskyRunFromGenerator: "databroker.core.BlueskyRunFromGenerator",
    core.DocumentCache: "databroker.core.DocumentCache",
    core.Entry: "databroker.core.Entry",
    core.StreamEntry: "databroker.core.StreamEntry",
    Start: "databroker.core.Start",
    SingleRunCache: "databroker.core.SingleRunCache",
}
"""The places that reprs, tracebacks and pickles name."""


@pytest.mark.parametrize("module", NAMES)
def test_names_of_1x_are_where_they_were(module: str) -> None:
    found = importlib.import_module(module)

    assert [name for name in sorted(NAMES[module]) if not hasattr(found, name)] == []
    assert NAMES[module] - {"open"} <= set(found.__all__)
    assert set(dir(found)) >= NAMES[module]


@pytest.mark.parametrize("module", NAMES)
def test_a_name_that_is_not_there_is_an_attribute_error(module: str) -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        operator.attrgetter("nothing")(importlib.import_module(module))


@pytest.mark.parametrize(("cls", "place"), CLASSES.items(), ids=CLASSES.values())
def test_a_class_is_named_after_its_public_place(cls: type, place: str) -> None:
    module, name = place.rsplit(".", 1)

    assert f"{cls.__module__}.{cls.__qualname__}" == place
    assert getattr(importlib.import_module(module), name) is cls


def test_the_search_path_is_one_function_in_both_places() -> None:
    assert databroker.catalog_search_path is utils.catalog_search_path


def test_the_version_is_below_2_as_a_text_too() -> None:
    assert "1.2.5" < databroker.__version__ < "2.0"


def test_a_star_import_does_not_hide_open() -> None:
    names: dict[str, Any] = {}
    exec("from databroker import *", names)

    assert "open" not in names
    assert names["core"] is core


HEAVY = ("dask", "event_model", "intake", "matplotlib", "numpy", "pandas", "sqlalchemy", "xarray")


def test_importing_the_package_imports_nothing_heavy() -> None:
    script = (
        "import sys, databroker\n"
        "databroker.__version__, databroker.errors, dir(databroker)\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )

    assert output_of("-c", script) == "[]\n"


def test_importing_the_core_imports_what_drivers_need_only_when_it_is_used() -> None:
    script = (
        "import sys, databroker.core\n"
        "before = 'event_model' in sys.modules\n"
        "databroker.core.DocumentCache\n"
        "print(before, 'event_model' in sys.modules)"
    )

    assert output_of("-c", script) == "False True\n"


def output_of(*arguments: str, **environment: str) -> str:
    """Return what Python prints."""
    command = [sys.executable, *arguments]
    environment = {**os.environ, **environment}
    return subprocess.run(
        command, capture_output=True, text=True, check=True, env=environment, cwd=ROOT
    ).stdout


def examples(path: Path) -> Iterator[str]:
    """Yield the names of what has an example in its docstring."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    yield from examples_in(tree.body, "")


def examples_in(body: list[ast.stmt], prefix: str) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            name = f"{prefix}{node.name}"
            if ">>> " in (ast.get_docstring(node) or ""):
                yield name
            yield from examples_in(node.body, f"{name}.")


def test_every_example_is_collected() -> None:
    """An example of a class that says it is from another module is easily lost."""
    source = ROOT / "src" / "databroker"
    written = {name for path in source.rglob("*.py") for name in examples(path)}
    collect = ["--collect-only", "-q", "-p", "no:cacheprovider", "-p", "databroker.core"]
    lines = output_of("-m", "pytest", *collect, "src").splitlines()
    collected = {line.rsplit("::", 1)[1] for line in lines if "::" in line}

    lost = [name for name in written if not any(c.endswith(f".{name}") for c in collected)]
    assert lost == []
    assert len(written) > 30


# -- documents -------------------------------------------------------------------------------------

KINDS = (
    core.Document,
    core.Start,
    core.Stop,
    core.Descriptor,
    core.Event,
    core.EventPage,
    core.Resource,
    core.Datum,
    core.DatumPage,
    core.StreamResource,
    core.StreamDatum,
)
CONTENT = {"uid": "abc", "time": EPOCH, "nested": {"list": [1, [2.5, None]], "pair": (1, 2)}}

MUTATORS: dict[str, Callable[[core.Document], Any]] = {
    "[]=": lambda doc: doc.__setitem__("a", 1),
    "del": lambda doc: doc.__delitem__("uid"),
    "|=": lambda doc: operator.ior(doc, {"a": 1}),
    "clear": lambda doc: doc.clear(),
    "pop": lambda doc: doc.pop("uid"),
    "pop with a default": lambda doc: doc.pop("nothing", None),
    "popitem": lambda doc: doc.popitem(),
    "setdefault": lambda doc: doc.setdefault("a", 1),
    "setdefault of what is there": lambda doc: doc.setdefault("uid", 1),
    "update": lambda doc: doc.update({"a": 1}),
    "update with nothing": lambda doc: doc.update(),
    "update by keyword": lambda doc: doc.update(a=1),
}


@pytest.mark.parametrize("change", MUTATORS.values(), ids=MUTATORS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_document_refuses_to_change(
    kind: type[core.Document], change: Callable[[core.Document], Any]
) -> None:
    doc = kind(CONTENT)
    with pytest.raises(NotMutable) as caught:
        change(doc)

    assert str(caught.value) == (
        f"{kind.__name__} documents are not mutable; to_dict() gives a mutable copy."
    )
    assert doc == CONTENT


def test_every_method_that_changes_a_dict_is_refused() -> None:
    def methods_beside(cls: type) -> set[str]:
        return {name for name in vars(dict) if getattr(cls, name) is not getattr(dict, name)}

    changing = {"clear", "pop", "popitem", "setdefault", "update"}
    changing |= {"__setitem__", "__delitem__", "__ior__"}

    assert changing <= methods_beside(Start)


def test_a_mutable_copy_shares_nothing() -> None:
    doc = Start({**CONTENT, "array": np.arange(3)})
    mutable = doc.to_dict()
    mutable["nested"]["list"][1].append("new")
    mutable["array"][:] = 7
    mutable["added"] = 1

    assert type(mutable) is type(mutable["nested"]) is dict
    assert doc["nested"] == CONTENT["nested"]
    assert doc["array"].tolist() == [0, 1, 2]
    assert "added" not in doc


def test_a_mutable_copy_has_no_documents_inside() -> None:
    doc = Start({"uid": "abc", "inner": Start(CONTENT), "several": [Start(CONTENT)]})
    mutable = doc.to_dict()

    assert type(mutable["inner"]) is type(mutable["several"][0]) is dict


@pytest.mark.parametrize("kind", KINDS)
def test_a_shallow_copy_is_a_dict_and_shares_what_is_inside(kind: type[core.Document]) -> None:
    doc = kind(CONTENT)
    shallow = doc.copy()

    assert type(shallow) is dict
    assert shallow == doc
    assert shallow["nested"] is doc["nested"]


COPIERS: dict[str, Callable[[Any], Any]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda doc: pickle.loads(pickle.dumps(doc)),
    "oldest pickle": lambda doc: pickle.loads(pickle.dumps(doc, protocol=0)),
    "repr": lambda doc: eval(repr(doc), {**vars(core)}),
}


@pytest.mark.parametrize("copied", COPIERS.values(), ids=COPIERS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_copy_is_an_equal_document_of_its_kind(
    kind: type[core.Document], copied: Callable[[Any], Any]
) -> None:
    doc = kind(CONTENT)
    other = copied(doc)

    assert type(other) is kind
    assert other == doc
    assert other is not doc


def test_a_deep_copy_shares_nothing() -> None:
    doc = Start(CONTENT)

    assert copy.deepcopy(doc)["nested"]["list"] is not doc["nested"]["list"]


def test_a_document_goes_into_json_and_msgpack_as_a_dict() -> None:
    doc = Start(CONTENT)
    plain = {**CONTENT, "nested": {"list": [1, [2.5, None]], "pair": [1, 2]}}

    assert json.loads(json.dumps(doc)) == plain
    assert msgpack.unpackb(msgpack.packb(doc)) == plain


def test_a_document_is_shown_with_its_kind() -> None:
    assert repr(core.Stop({"uid": "x"})) == "Stop({'uid': 'x'})"
    assert pretty(core.Stop({"uid": "x"})) == "Stop({'uid': 'x'})"
    assert pretty(Start({"uid": "x" * 50, "plan_name": "y" * 50})) == (
        f"Start({{'uid': '{'x' * 50}',\n       'plan_name': '{'y' * 50}'}})"
    )


def test_a_union_of_documents_is_a_mutable_dict() -> None:
    assert type(Start(CONTENT) | {"a": 1}) is dict
    assert Start(CONTENT) | {"a": 1} == {**CONTENT, "a": 1}


def test_a_document_has_no_hash() -> None:
    with pytest.raises(TypeError, match="unhashable"):
        hash(Start(CONTENT))


# -- parsing what users give -----------------------------------------------------------------------


def test_transforms_are_given_as_functions_or_places() -> None:
    parsed = core.parse_transforms({"start": "copy.deepcopy", "stop": copy.copy, "resource": None})
    doc = {"uid": "abc"}

    assert list(parsed) == ["start", "stop", "resource", "descriptor"]
    assert parsed["start"] is copy.deepcopy
    assert parsed["stop"] is copy.copy
    assert parsed["resource"](doc) is parsed["descriptor"](doc) is doc


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"event": copy.copy}, NotImplementedError, "event"),
        ([("start", copy.copy)], ValueError, "must be None or a dictionary"),
        ("copy.copy", ValueError, "must be None or a dictionary"),
        ({"start": "nodots"}, ValueError, "'package.module.name'"),
        ({"start": "no_such_module.f"}, ModuleNotFoundError, "no_such_module"),
        ({"start": "copy.no_such_name"}, AttributeError, "no_such_name"),
    ],
)
def test_transforms_that_make_no_sense_are_refused(
    given: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        core.parse_transforms(given)


def test_handlers_are_given_as_classes_or_places() -> None:
    given = {"A": "collections.OrderedDict", "B": Constant}
    parsed = core.parse_handler_registry(given)

    assert [cls.__qualname__ for cls in parsed.values()] == ["OrderedDict", "Constant"]
    assert given["A"] == "collections.OrderedDict"
    with pytest.raises(AttributeError, match="Nothing"):
        core.parse_handler_registry({"A": "collections.Nothing"})


Install: TypeAlias = Callable[..., str]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Install packages that offer a handler each; return the group of their entry points."""
    monkeypatch.syspath_prepend(str(tmp_path))
    group = f"handlers.{tmp_path.name}"  # of this test alone: what is found is remembered

    def install(*points: str) -> str:
        for number, point in enumerate(points):
            declare(tmp_path, f"package{number}", {group: [point]})
        return group

    return install


def declare(folder: Path, package: str, points: Mapping[str, list[str]]) -> None:
    """Declare the entry points of an installed package."""
    info = folder / f"{package}-0.dist-info"
    info.mkdir()
    lines = [line for group, names in points.items() for line in (f"[{group}]", *names)]
    (info / "METADATA").write_text(f"Name: {package}\nVersion: 0\n")
    (info / "entry_points.txt").write_text("\n".join(lines))
    importlib.invalidate_caches()


def test_handlers_of_installed_packages_are_discovered(install: Install) -> None:
    group = install("A = golden_runs:Constant", "B = collections:OrderedDict")
    found = core.discover_handlers(group)
    found.clear()

    assert {spec: handler.__name__ for spec, handler in core.discover_handlers(group).items()} == {
        "A": "Constant",
        "B": "OrderedDict",
    }
    assert core.discover_handlers("no such group") == {}


def test_a_handler_that_cannot_be_imported_is_left_out(install: Install) -> None:
    group = install("BAD = golden_runs:Nothing", "GOOD = golden_runs:Constant")
    with pytest.warns(UserWarning, match="BAD.*golden_runs:Nothing.*left out"):
        found = core.discover_handlers(group)

    assert found == {"GOOD": Constant}
    with pytest.raises(AttributeError, match="Nothing"):
        core.discover_handlers(group, skip_failures=False)


def test_one_of_two_handlers_for_a_spec_wins_with_a_warning(install: Install) -> None:
    group = install("A = golden_runs:Constant", "A = collections:OrderedDict")
    with pytest.warns(UserWarning, match="several handlers for 'A'"):
        found = core.discover_handlers(entrypoint_group_name=group)

    assert found["A"].__name__ in {"Constant", "OrderedDict"}


# -- one Run that is being received ----------------------------------------------------------------


def test_a_cache_gives_the_run_when_it_is_complete() -> None:
    documents = golden_runs.one_descriptor("cached")
    cache = SingleRunCache()
    *all_but_the_last, (_, last) = documents
    for name, doc in all_but_the_last:
        cache.callback(name, doc)

    assert cache.retrieve() is None
    assert repr(cache) == "<SingleRunCache in progress>"

    cache.callback("stop", last)
    run = cache.retrieve()

    assert run is not None
    assert run is cache.retrieve()
    assert repr(cache) == f"<SingleRunCache uid={golden_runs.run_uid('cached')}>"
    assert run.primary.read()["det"].values.tolist() == [0, 1, 2]
    assert_same_documents(documents, list(run.documents(fill="no")))


def test_a_cache_is_for_one_run() -> None:
    cache = SingleRunCache()
    for name, doc in golden_runs.one_descriptor("first"):
        cache.callback(name, doc)

    with pytest.raises(ValueError, match="Already received 'stop' document"):
        cache.callback(*golden_runs.start("second"))


def test_a_cache_opens_external_data_and_transforms_documents() -> None:
    cache = SingleRunCache(
        handler_registry={"CONSTANT": Constant},
        transforms={"start": lambda doc: {**doc, "plan_name": "changed"}},
    )
    for name, doc in golden_runs.external("external"):
        cache.callback(name, doc)
    run = cache.retrieve()

    assert run is not None
    assert run.start["plan_name"] == "changed"
    assert run.primary.read()["image"].shape == (2, 2, 3)


# -- Runs of ten functions, as drivers for 1.x give them -------------------------------------------

ROWS = [{"x": i / 2, "n": i, "s": "ab"[: i + 1], "image": [[i, 2], [3, 4]]} for i in range(3)]
PAGES = {"lists": paged, "arrays": numpy_paged}


def run_of_pages(form: str) -> list[Named]:
    """Compose a Run whose Events come in pages of two rows."""
    return list(PAGES[form](golden_runs.simple("ten", ROWS), 2))


def external_run_of_pages(form: str) -> list[Named]:
    return list(PAGES[form](golden_runs.external("external"), 2))


def first(documents: list[Named], kind: str) -> Any:
    return next((doc for name, doc in documents if name == kind), None)


def every(documents: list[Named], kind: str, **items: Any) -> list[Any]:
    named = (doc for name, doc in documents if name == kind)
    return [doc for doc in named if items.items() <= doc.items()]


def pages_of(documents: list[Named], descriptor: str, skip: int = 0, limit: Any = None) -> Any:
    return iter(copy.deepcopy(every(documents, "event_page", descriptor=descriptor)))


def count_of(documents: list[Named], descriptor: str) -> int:
    return sum(len(page["uid"]) for page in pages_of(documents, descriptor))


def resource_of(documents: list[Named], uid: str) -> Any:
    return next(iter(every(documents, "resource", uid=uid)))


def resource_uid_of(documents: list[Named], datum_id: str) -> str:
    pages = every(documents, "datum_page")
    return next(page["resource"] for page in pages if datum_id in page["datum_id"])


def datum_pages_of(documents: list[Named], resource: str, skip: int = 0, limit: Any = None) -> Any:
    return iter(copy.deepcopy(every(documents, "datum_page", resource=resource)))


def filler(coerce: Any = None) -> event_model.Filler:
    return event_model.Filler({"CONSTANT": Constant}, coerce=coerce, inplace=False)


def functions(documents: list[Named]) -> dict[str, Callable[..., Any]]:
    """Return nine of the ten functions, in the order in which a Run takes them."""
    return {
        "get_run_start": functools.partial(first, documents, "start"),
        "get_run_stop": functools.partial(first, documents, "stop"),
        "get_event_descriptors": functools.partial(every, documents, "descriptor"),
        "get_event_pages": functools.partial(pages_of, documents),
        "get_event_count": functools.partial(count_of, documents),
        "get_resource": functools.partial(resource_of, documents),
        "get_resources": functools.partial(every, documents, "resource"),
        "lookup_resource_for_datum": functools.partial(resource_uid_of, documents),
        "get_datum_pages": functools.partial(datum_pages_of, documents),
    }


def run_of_functions(documents: list[Named], **kwargs: Any) -> BlueskyRun:
    given: list[Any] = [*functions(documents).values(), filler]
    return BlueskyRun(*given, **kwargs)


def stream_of_functions(documents: list[Named], **kwargs: Any) -> BlueskyEventStream:
    given: dict[str, Any] = functions(documents)
    start, stop = given.pop("get_run_start")(), given["get_run_stop"]()
    return BlueskyEventStream(
        "primary",
        **given,
        fillers={"yes": filler, "no": filler, "delayed": filler},
        transforms=core.parse_transforms(None),
        metadata={"start": start, "stop": stop},
        entry=None,
        **kwargs,
    )


def assert_rows(dataset: xarray.Dataset) -> None:
    assert dataset["x"].values.tolist() == [0.0, 0.5, 1.0]
    assert dataset["n"].values.tolist() == [0, 1, 2]
    assert dataset["s"].values.tolist() == ["a", "ab", "ab"]
    assert dataset["image"].dims == ("time", "dim_0", "dim_1")
    assert dataset["image"].values.tolist() == [row["image"] for row in ROWS]
    assert dataset["time"].values.tolist() == [EPOCH + 1, EPOCH + 2, EPOCH + 3]


@pytest.mark.parametrize("form", PAGES)
def test_a_run_of_functions_is_read(form: str) -> None:
    run = run_of_functions(run_of_pages(form), entry=None, transforms=None, name="mine")

    assert (run.name, list(run), repr(run)) == (
        "mine",
        ["primary"],
        f"<BlueskyRun uid='{golden_runs.run_uid('ten')}'>",
    )
    assert run.metadata["start"] == golden_runs.start("ten")[1]
    assert run.metadata["stop"]["exit_status"] == "success"
    assert_rows(run["primary"].read())
    assert_rows(run["primary"].to_dask().compute())
    assert run["primary"].config["det"].read()["det_exposure"].values.tolist() == [0.1] * 3
    assert list(run["primary"](include=["x"]).read().data_vars) == ["x"]


@pytest.mark.parametrize("strict_order", [True, False])
@pytest.mark.parametrize("form", PAGES)
def test_a_run_of_functions_gives_its_documents(form: str, strict_order: bool) -> None:
    documents = golden_runs.simple("ten", ROWS)
    run = run_of_functions(run_of_pages(form))
    given = list(run.documents(fill="no", strict_order=strict_order))

    assert_same_documents(documents, given)
    assert [len(doc["uid"]) for name, doc in given if name == "event_page"] == (
        [1, 1, 1] if strict_order else [3]
    )


@pytest.mark.parametrize("form", PAGES)
def test_a_run_of_functions_opens_external_data(form: str) -> None:
    run = run_of_functions(external_run_of_pages(form))
    images = [[[1] * 3] * 2, [[2] * 3] * 2]
    pages = [doc for name, doc in run.documents(fill="yes") if name == "event_page"]

    assert run.primary.read()["image"].values.tolist() == images
    assert [page["data"]["image"][0].tolist() for page in pages] == images
    assert [page["filled"]["image"] for page in pages] == [["external-r1/1"], ["external-r1/2"]]


def renamed(doc: Mapping[str, Any]) -> dict[str, Any]:
    return {**doc, "name": "renamed"}


def test_a_run_of_functions_is_configured_anew() -> None:
    run = run_of_functions(run_of_pages("lists"), name="mine")
    other = run.configure_new(transforms={"descriptor": renamed})

    assert run() is run.get() is run.configure_new() is run
    assert (list(run), list(other), other.name) == (["primary"], ["renamed"], "mine")
    assert_rows(other.renamed.read())


@pytest.mark.parametrize("form", PAGES)
def test_a_run_of_functions_goes_through_a_pickle(form: str) -> None:
    run = run_of_functions(run_of_pages(form), transforms={"descriptor": renamed}, name="mine")
    again: BlueskyRun = pickle.loads(pickle.dumps(run))

    assert (again.name, list(again), again.metadata) == ("mine", ["renamed"], run.metadata)
    assert_rows(again["renamed"].read())


def test_a_run_of_functions_that_goes_on_shows_what_there_is() -> None:
    documents = golden_runs.simple("ten", ROWS)[:-1]
    arriving = documents[:2]
    run = run_of_functions(arriving)
    before = (run.metadata["stop"], run["primary"].read().sizes)
    arriving += paged(documents[2:], 3)

    assert before == (None, {"time": 0, "dim_0": 2, "dim_1": 2})
    assert_rows(run["primary"].read())
    arriving += golden_runs.simple("ten", ROWS)[-1:]
    assert run.metadata["stop"]["exit_status"] == "success"


@pytest.mark.parametrize("form", PAGES)
def test_a_stream_of_functions_is_read(form: str) -> None:
    stream = stream_of_functions(run_of_pages(form))

    assert repr(stream) == (
        f"<BlueskyEventStream 'primary' from Run {golden_runs.run_uid('ten')[:8]}...>"
    )
    assert sorted(stream.metadata) == ["descriptors", "start", "stop"]
    assert_rows(stream.read())
    assert_rows(stream.to_dask().compute())
    assert stream.timestamps.read()["x"].values.tolist() == [EPOCH + i - 0.5 for i in (1, 2, 3)]
    assert stream.config["det"].read()["det_exposure"].values.tolist() == [0.1] * 3


@pytest.mark.parametrize(
    ("selected", "names"),
    [
        ({"include": ["n", "nothing"]}, ["n"]),
        ({"exclude": ["n", "image"]}, ["x", "s"]),
        ({"sub_dict": "timestamps", "include": ["n"]}, ["n"]),
        ({"configuration_for": "det"}, ["det_exposure"]),
    ],
)
def test_a_stream_of_functions_reads_what_is_selected(
    selected: dict[str, Any], names: list[str]
) -> None:
    documents = run_of_pages("lists")
    at_once = stream_of_functions(documents, **selected)
    later = stream_of_functions(documents).configure_new(**selected)

    assert list(at_once.read().data_vars) == list(later.read().data_vars) == names
    assert at_once.read().identical(later.read())


def test_a_stream_of_functions_opens_external_data() -> None:
    stream = stream_of_functions(external_run_of_pages("lists"))

    assert stream.read()["image"].values.tolist() == [[[1] * 3] * 2, [[2] * 3] * 2]


def test_a_stream_of_functions_goes_through_a_pickle() -> None:
    stream = stream_of_functions(run_of_pages("arrays"), exclude=["s"])
    again = pickle.loads(pickle.dumps(stream))

    assert again.read().identical(stream.read())
    assert list(again.read().data_vars) == ["x", "n", "image"]


def generated(name: str, *, events: int) -> Iterator[Named]:
    yield from golden_runs.simple(name, ROWS[:events])


def test_a_run_of_a_generator_is_read() -> None:
    run = core.BlueskyRunFromGenerator(generated, ("made",), {"events": 2}, filler)
    again = pickle.loads(pickle.dumps(run))

    assert run.primary.read()["n"].values.tolist() == [0, 1]
    assert again.primary.read().identical(run.primary.read())
    assert_same_documents(list(generated("made", events=2)), list(run.documents(fill="no")))


# -- catalogs and Runs -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def catalog() -> Iterator[Broker]:
    """Open a catalog of one Run; no test changes it."""
    with databroker.open("memory:", name="mine") as catalog:
        for name, doc in golden_runs.one_descriptor("one_descriptor"):
            catalog.insert(name, doc)
        yield catalog


@pytest.fixture(scope="module")
def run(catalog: Broker) -> BlueskyRun:
    return catalog[-1]


def test_things_are_represented_as_in_1x(catalog: Broker, run: BlueskyRun) -> None:
    uid = golden_runs.run_uid("one_descriptor")
    found = catalog.search({"plan_name": "count"})

    assert [repr(thing) for thing in (catalog, found, databroker.v2.Broker())] == [
        "<Intake catalog: mine>",
        "<Intake catalog: search results>",
        "<Intake catalog: None>",
    ]
    assert repr(catalog.insert) == "<insert into <Intake catalog: mine>>"
    assert repr(run) == f"<BlueskyRun uid='{uid}'>"
    assert repr(run.primary) == f"<BlueskyEventStream 'primary' from Run {uid[:8]}...>"
    assert repr(run.primary.config) == "<Configuration of det>"
    assert repr(utils.ALL) == "ALL"
    assert repr(queries.TextQuery("x")) == "TextQuery(text_search='x')"


def test_notebooks_show_things_as_tables(catalog: Broker, run: BlueskyRun) -> None:
    texts = {"1 Run in memory:": catalog, "&#x27;count&#x27;": run, "motor": run.primary}
    for text, thing in texts.items():
        shown = thing._repr_html_()
        assert thing._ipython_display_ is None
        assert thing._repr_mimebundle_() == {}
        assert text in shown
        assert shown.count("<table>") == shown.count("</table>") > 0


def test_asking_for_a_thing_again_gives_the_very_same(catalog: Broker, run: BlueskyRun) -> None:
    uid = golden_runs.run_uid("one_descriptor")

    assert catalog[uid] is catalog[uid[:8]] is catalog[1] is catalog[-1] is run
    assert catalog() is catalog.get() is catalog.configure_new() is catalog.v2 is catalog
    assert run() is run.get() is run.configure_new() is run
    assert run["primary"] is run["primary"] is run.primary is run.primary() is run.primary.get()
    assert run.cat is catalog
    assert run.primary.cat is run
    assert catalog.v1 is catalog.v1


def test_two_selections_of_a_stream_are_equal(run: BlueskyRun) -> None:
    assert run.primary(include=["det"]) == run.primary.configure_new(include=["det"])
    assert run.primary(include=["det"]) != run.primary(include=["motor"])
    assert run.primary(include=["det"]) != run.primary


def test_one_text_selects_one_data_key() -> None:
    catalog = databroker.v2.Broker()
    for name, doc in golden_runs.simple("named alike", [{"x": 1, "x_max": 2}]):
        catalog.insert(name, doc)
    stream = catalog[-1].primary

    assert list(stream(include="x_max").read().data_vars) == ["x_max"]
    assert list(stream(exclude="x_max").read().data_vars) == ["x"]


def test_metadata_say_where_the_yaml_file_of_the_catalog_is(
    catalog: Broker, run: BlueskyRun
) -> None:
    from_file = databroker.v2.Broker(metadata={"catalog_dir": "/data/"})
    for name, doc in golden_runs.one_descriptor("one_descriptor"):
        from_file.insert(name, doc)

    assert list(run.metadata) == ["catalog_dir", "start", "stop"]
    assert run.metadata["catalog_dir"] is None
    assert from_file[-1].metadata["catalog_dir"] == "/data/"


@pytest.mark.parametrize("fill", [True, False, None, "maybe", "YES", ["no"]])
def test_a_wrong_way_to_fill_is_refused_before_anything_is_read(run: BlueskyRun, fill: Any) -> None:
    with pytest.raises(ValueError, match="Invalid fill option") as caught:
        run.documents(fill=fill)

    assert all(option in str(caught.value) for option in ("'yes'", "'no'", "'delayed'"))


@pytest.mark.parametrize(("args", "kwargs"), [((), {}), (("no",), {})])
def test_the_way_to_fill_is_given_by_name(
    run: BlueskyRun, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    with pytest.raises(TypeError):
        run.documents(*args, **kwargs)


def test_old_names_of_documents_warn_and_work(run: BlueskyRun) -> None:
    with pytest.warns(UserWarning, match=r"documents\(\.\.\.\)"):
        canonical = run.canonical(fill="no")
    with pytest.warns(UserWarning, match=r"documents\(fill='yes'\)"):
        read_canonical = run.read_canonical()

    names = [name for name, _ in run.documents(fill="no")]
    assert [name for name, _ in canonical] == [name for name, _ in read_canonical] == names


def test_calling_a_catalog_with_a_document_records_it() -> None:
    catalog = databroker.v2.Broker()
    for name, doc in golden_runs.one_descriptor("called"):
        assert catalog(name, doc) is None

    assert catalog[-1].primary.read()["det"].values.tolist() == [0, 1, 2]


def test_the_v1_accessor_records_too() -> None:
    catalog = databroker.v2.Broker(name="mine")
    for name, doc in golden_runs.one_descriptor("v1"):
        catalog.v1.insert(name, doc)

    assert catalog.v1.v2 is catalog
    assert catalog.v1.v1 is catalog.v1
    assert catalog.v1.name == "mine"
    assert list(catalog) == [golden_runs.run_uid("v1")]


def test_the_registry_is_a_view_that_refuses_and_names_what_does_it() -> None:
    catalog = databroker.v2.Broker(handler_registry={"A": Constant})

    assert type(catalog.handler_registry) is event_model.HandlerRegistryView
    assert dict(catalog.handler_registry) == {"A": Constant}
    with pytest.raises(TypeError):
        operator.methodcaller("__setitem__", "B", Constant)(catalog.handler_registry)
    catalog.register_handler("B", Constant)
    catalog.register_handler("B", Constant)
    with pytest.raises(utils.DuplicateHandler, match="overwrite=True"):
        catalog.register_handler("B", dict)
    catalog.register_handler("B", dict, overwrite=True)
    catalog.deregister_handler("A")
    catalog.deregister_handler("A")

    assert dict(catalog.handler_registry) == {"B": dict}


def test_a_transform_renames_a_stream() -> None:
    catalog = databroker.v2.Broker(transforms={"descriptor": renamed})
    for name, doc in golden_runs.one_descriptor("renamed"):
        catalog.insert(name, doc)
    run = catalog[-1]

    assert list(run) == ["renamed"]
    assert [doc["name"] for doc in run._descriptors] == ["renamed"]
    assert [doc["name"] for doc in run.renamed.metadata["descriptors"]] == ["renamed"]
    assert run.renamed.read()["det"].values.tolist() == [0, 1, 2]
    with pytest.raises(KeyError, match="its streams are: renamed"):
        run["primary"]


def test_a_partition_is_the_whole_stream(run: BlueskyRun) -> None:
    assert run.primary.partition_access is run.partition_access is True
    assert run.primary.read_partition(0).identical(run.primary.read())
    assert list(inspect.signature(run.primary.read_partition).parameters) == ["partition"]
    with pytest.raises(core.PartitionIndexError, match="number 0, not 1"):
        run.primary.read_partition(1)


def test_the_files_of_a_resource_are_those_that_its_handler_names() -> None:
    catalog = databroker.v2.Broker(handler_registry={"CONSTANT": Listed})
    for name, doc in golden_runs.external("external"):
        catalog.insert(name, doc)
    run = catalog[-1]
    resource = next(doc for name, doc in run.documents(fill="no") if name == "resource")

    assert run.get_file_list(resource) == ["/data/images/1", "/data/images/2"]


class Listed(Constant):
    def __init__(self, resource_path: Any, shape: list[int]) -> None:
        super().__init__(resource_path, shape)
        self.path = resource_path

    def get_file_list(self, datum_kwargs: Any) -> list[str]:
        return [f"{self.path}/{kwargs['value']}" for kwargs in datum_kwargs]


def test_a_wrong_shape_is_warned_about_once_for_each_data_key() -> None:
    wrong = {"a": data_key([1.0], shape=[5]), "b": data_key(1.0), "c": data_key(1.0)}
    row = {"a": [1.0, 2.0], "b": 1.0, "c": [3.0, 4.0]}
    catalog = databroker.v2.Broker()
    for name, doc in golden_runs.simple("wrong", [row, row], wrong):
        catalog.insert(name, doc)
    with pytest.warns(errors.MetadataWarning) as warned:
        catalog[-1].primary.read()

    assert [str(warning.message).partition(", but")[0] for warning in warned] == [
        "The descriptor declares the shape [5] for 'a'",
        "The descriptor declares the shape [] for 'c'",
    ]


# -- drivers ---------------------------------------------------------------------------------------


def drivers() -> dict[str, str]:
    """Return the intake drivers that the package declares."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)["project"]["entry-points"]["intake.drivers"]


def test_the_drivers_have_the_names_of_1x() -> None:
    assert {"bluesky-run", "bluesky-event-stream", "bluesky-sqlite-catalog"} <= set(drivers())


@pytest.mark.parametrize(("name", "place"), drivers().items())
def test_a_driver_is_a_source_of_data(name: str, place: str) -> None:
    module, _, attribute = place.partition(":")
    driver: Any = getattr(importlib.import_module(module), attribute)

    assert "DataSource" in {cls.__name__ for cls in driver.__mro__}
    assert driver.container == {
        "bluesky-run": "bluesky-run",
        "bluesky-event-stream": "bluesky-event-stream",
    }.get(name, "catalog")


OPENED = """
import intake, json, sys
catalog = intake.open_catalog(sys.argv[1]).mine
run = catalog[-1]
print(json.dumps([
    repr(catalog), type(catalog).__name__, run.metadata["catalog_dir"], sorted(catalog),
    run.metadata["start"]["plan_name"], run.primary.read()["det"].values.tolist(),
    {spec: handler.__name__ for spec, handler in catalog.handler_registry.items()},
    dict(catalog.root_map), catalog.metadata["beamline"],
]))
catalog.close()
"""


def test_a_yaml_file_names_the_driver_and_its_arguments(tmp_path: Path) -> None:
    with databroker.open(tmp_path / "runs.db") as catalog:
        for name, doc in golden_runs.one_descriptor("one_descriptor"):
            catalog.insert(name, doc)
    (tmp_path / "catalog.yml").write_text(
        "sources:\n"
        "  mine:\n"
        "    driver: bluesky-sqlite-catalog\n"
        "    args:\n"
        "      path: '{{ CATALOG_DIR }}/runs.db'\n"
        "      mode: read\n"
        "      handler_registry: {A: collections.OrderedDict}\n"
        "      root_map: {/old: /new}\n"
        "      transforms: {start: copy.deepcopy}\n"
        "    metadata: {beamline: 7}\n"
    )
    points = [f"{name} = {place}" for name, place in drivers().items()]
    declare(tmp_path, "databroker", {"intake.drivers": points})  # the installed ones may be older
    opened = output_of(
        "-W", "error", "-c", OPENED, str(tmp_path / "catalog.yml"), PYTHONPATH=str(tmp_path)
    )

    assert json.loads(opened) == [
        "<Intake catalog: mine>",
        "BlueskySQLiteCatalog",
        f"{tmp_path}/",
        [golden_runs.run_uid("one_descriptor")],
        "count",
        [0, 1, 2],
        {"A": "OrderedDict"},
        {"/old": "/new"},
        7,
    ]
