"""Our answers are those of databroker 1.2.5, but for the differences that are documented."""

import inspect
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import golden_answers
import golden_differences
import golden_names
import golden_runs
import pytest
from golden_differences import Begins, Holds, Raises, Shows

import databroker
import databroker.v2
from databroker import core, queries
from databroker.testing.stores import StoreMaker
from databroker.v2 import Broker

GOLDEN = json.loads(golden_answers.RECORDED.read_text(encoding="utf-8"))
ODDITIES = Path(__file__).parents[2] / "docs" / "explanations" / "oddities.md"
CASES = {case.__name__: case for case in golden_runs.CASES}
ABOUT_CONFIGURATION = {case.__name__ for case in golden_runs.CASES_ABOUT_CONFIGURATION}


# -- saying answers in few words -------------------------------------------------------------------


def brief(answer: Mapping[str, Any]) -> Any:
    """Say an answer in few words: a Dataset as one line a variable."""
    match answer:
        case {"raises": [name, message]}:
            return f"{name}: {message}"
        case {"value": {"variables": variables, "data_vars": names}}:
            ordered = [*names, *(name for name in variables if name not in names)]
            lines = {name: variable_in_brief(variables[name]) for name in ordered}
            warned = [name for name, _ in answer.get("warns", ())]
            return lines | ({"warns": warned} if warned else {})
        case _:
            return answer["value"]


def variable_in_brief(variable: Mapping[str, Any]) -> str:
    sizes = zip(variable["dims"], variable["shape"], strict=True)
    shape = ", ".join(f"{dim}: {size}" for dim, size in sizes)
    return f"{variable['dtype']} ({shape}) {json.dumps(variable['values'])}"


def of_our_classes(text: str) -> str:
    """Name the classes of 1.x as ours are named: a Run comes from no generator."""
    return text.replace("BlueskyRunFromGenerator", "BlueskyRun")


ABOUT_RUNS = (
    "list(run)",
    "repr(run)",
    "metadata",
    "metadata['stop'] is None",
    "documents(fill='no')",
)


def questions(answers: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answers about a Run by question, in few words."""
    found = {name: brief(answers[name]) for name in ABOUT_RUNS}
    found["repr(run)"] = of_our_classes(found["repr(run)"])
    for stream, about in answers["streams"].items():
        for name, answer in about.items():
            if name in ("config", "config_timestamps"):
                found |= {f"{stream}.{name}[{dev}]": brief(data) for dev, data in answer.items()}
            else:
                found[f"{stream}.{name}"] = brief(answer)
    return found


# -- about Runs ------------------------------------------------------------------------------------


def insert(catalog: Broker, documents: list[golden_runs.Named]) -> None:
    for name, doc in golden_runs.replay(documents):
        catalog.insert(name, doc)
    catalog.flush()


def catalog_of(store: Any, *runs: list[golden_runs.Named], **settings: Any) -> Broker:
    """Record some Runs in a store."""
    catalog = Broker(store=store, handler_registry=settings.pop("handler_registry", {}), **settings)
    for documents in runs:
        insert(catalog, documents)
    return catalog


ASKED: dict[tuple[type, str], dict[str, Any]] = {}


def asked_of_case(make_store: StoreMaker, name: str) -> dict[str, Any]:
    """Ask everything about a Run, once for each kind of store."""
    store = make_store()
    case = (type(store), name)
    if case not in ASKED:
        run = catalog_of(store, CASES[name](name))[-1]
        ASKED[case] = golden_answers.asked_of_run(run, name in ABOUT_CONFIGURATION)
    return ASKED[case]


@pytest.mark.parametrize("name", CASES)
def test_the_recorded_documents_are_those_that_we_compose(name: str) -> None:
    assert golden_answers.plain(CASES[name](name)) == GOLDEN["cases"][name]["documents"]


@pytest.mark.filterwarnings("ignore:The Event Descriptor descriptor_without_a_name-d1 names no")
@pytest.mark.parametrize("name", CASES)
def test_a_run_answers_as_in_1x(name: str, make_store: StoreMaker) -> None:
    ours = questions(asked_of_case(make_store, name))
    recorded = questions(GOLDEN["cases"][name])

    assert ours == recorded | golden_differences.IN_RUNS.get(name, {})


@pytest.mark.filterwarnings("ignore:The Event Descriptor descriptor_without_a_name-d1 names no")
@pytest.mark.parametrize("name", CASES)
def test_variables_come_in_the_order_of_1x(name: str, make_store: StoreMaker) -> None:
    def orders(found: Mapping[str, Any]) -> dict[str, list[str]]:
        return {key: list(value) for key, value in found.items() if isinstance(value, dict)}

    recorded = questions(GOLDEN["cases"][name]) | golden_differences.IN_RUNS.get(name, {})

    assert orders(questions(asked_of_case(make_store, name))) == orders(recorded)


@pytest.mark.filterwarnings("ignore:The Event Descriptor descriptor_without_a_name-d1 names no")
@pytest.mark.parametrize("name", CASES)
def test_variables_have_the_attributes_of_1x_and_more(name: str, make_store: StoreMaker) -> None:
    streams = asked_of_case(make_store, name)["streams"]
    for stream, recorded in GOLDEN["cases"][name]["streams"].items():
        for variable, expected in variables_of(recorded["read"]).items():
            ours = variables_of(streams[stream]["read"])[variable]["attrs"]
            assert expected["attrs"].items() <= ours.items()


def variables_of(answer: Mapping[str, Any]) -> dict[str, Any]:
    return answer.get("value", {}).get("variables", {})


@pytest.mark.filterwarnings("ignore:The Event Descriptor descriptor_without_a_name-d1 names no")
@pytest.mark.parametrize("name", CASES)
def test_a_run_is_printed_with_the_lines_of_1x(name: str, make_store: StoreMaker) -> None:
    ours = iter(asked_of_case(make_store, name)["pretty(run)"]["value"].splitlines())

    for line in GOLDEN["cases"][name]["pretty(run)"]["value"].splitlines():
        assert any(our_line.startswith(line) for our_line in ours), line


@pytest.mark.parametrize("name", golden_differences.IN_RUNS)
def test_a_difference_about_a_run_is_one(name: str) -> None:
    recorded = questions(GOLDEN["cases"][name])
    for question, ours in golden_differences.IN_RUNS[name].items():
        assert recorded.get(question, "not asked") != ours


@pytest.mark.parametrize("name", golden_differences.IN_RUNS)
def test_a_difference_about_a_run_is_documented(name: str) -> None:
    assert f"`{name}`" in ODDITIES.read_text(encoding="utf-8")


# -- by expressions --------------------------------------------------------------------------------


def ask(expression: str, names: dict[str, Any]) -> Any:
    """Answer an expression in JSON; an error stands for itself."""
    try:
        return in_json(golden_answers.plain(eval(expression, names)))
    except Exception as error:  # noqa: BLE001 - every error is an answer
        return error


def in_json(value: Any) -> str:
    """Say a value in JSON, without what names classes of 1.x."""
    text = json.dumps(value, sort_keys=True, default=list)
    return of_our_classes(re.sub(r'"type": "databroker\.[\w.]+"', '"type": "databroker"', text))


def is_answer(ours: Any, expected: Any) -> bool:
    """Tell whether our answer is the expected one; an error may also be a more special one."""
    if isinstance(ours, Exception):
        names = {cls.__name__ for cls in type(ours).__mro__}
        return isinstance(expected, Raises) and expected.error in names
    match expected:
        case Raises():
            return False
        case Begins(text):
            return json.loads(ours).startswith(text)
        case Holds(items):
            return items <= set(json.loads(ours))
        case Shows(text):
            return json.loads(ours)["repr"].startswith(text)
        case _:
            return ours == in_json(expected)


def recorded_answer(recorded: Mapping[str, Any]) -> Any:
    return Raises(recorded["raises"][0]) if "raises" in recorded else recorded["value"]


def memory_catalog(
    runs: Iterable[list[golden_runs.Named]],
    handler_registry: Mapping[str, Any] | None = None,
    transforms: Mapping[str, Any] | None = None,
) -> Broker:
    return catalog_of(None, *runs, handler_registry=handler_registry or {}, transforms=transforms)


@pytest.fixture
def names() -> Iterator[dict[str, Any]]:
    """Make the names that the expressions use, but for ``cat``."""
    names = golden_names.namespace(memory_catalog)
    yield names
    names["temp"].close()


def names_of_five_runs(names: dict[str, Any], store: Any) -> dict[str, Any]:
    runs = golden_runs.lookup_runs().values()
    return names | {"cat": catalog_of(store, *runs, handler_registry=None, name="temp")}


NEEDED = {
    "in_memory": hasattr(databroker, "in_memory"),
    ".fillers": hasattr(core.BlueskyRun, "fillers"),
    "fresh_external().to_dask()": False,  # how external data are chunked is told by their tests
}
"""Whether there is what an expression with this text needs."""


def can_be_asked(expression: str) -> bool:
    named = re.findall(r"\bcore\.(\w+)", expression)
    lacking = (text for text, is_there in NEEDED.items() if not is_there)
    return all(hasattr(core, name) for name in named) and not any(
        text in expression for text in lacking
    )


def others_than_in_1x(
    answers: Iterable[tuple[str, Any]], differences: Mapping[str, Any], names: dict[str, Any]
) -> dict[str, Any]:
    """Return the answers that are neither those of 1.x nor our documented ones."""
    others = {}
    for expression, recorded in answers:
        if can_be_asked(expression):
            ours = ask(expression, names)
            expected = differences.get(expression, kept_answer(expression, recorded))
            if not is_answer(ours, expected):
                others[expression] = {"expected": expected, "ours": ours}
    return others


def kept_answer(expression: str, recorded: Mapping[str, Any]) -> Any:
    """Return the recorded answer, with ``time`` behind the data where it lists variables."""
    answer = recorded_answer(recorded)
    lists_variables = isinstance(answer, list) and expression.endswith(".variables)")
    return golden_differences.time_last(answer) if lists_variables else answer


def test_runs_are_looked_up_as_in_1x(names: dict[str, Any], make_store: StoreMaker) -> None:
    """All expressions in turn over one catalog, as they were recorded: some change it."""
    names = names_of_five_runs(names, make_store())

    assert others_than_in_1x(GOLDEN["lookup"]["answers"], golden_differences.IN_LOOKUP, names) == {}


@pytest.mark.filterwarnings("ignore:.* is an old name:UserWarning")
def test_everything_else_is_answered_as_in_1x(names: dict[str, Any]) -> None:
    names = names | {"cat": memory_catalog([golden_runs.one_descriptor("one_descriptor")])}

    assert others_than_in_1x(GOLDEN["behavior"], golden_differences.IN_BEHAVIOR, names) == {}


def test_most_expressions_are_asked() -> None:
    """Names that vanish are not to take their expressions with them."""
    asked = [text for text, _ in GOLDEN["behavior"] if can_be_asked(text)]

    assert len(asked) >= 350
    assert golden_differences.IN_BEHAVIOR.keys() <= set(asked)


@pytest.mark.parametrize(
    ("answers", "differences"),
    [
        pytest.param(GOLDEN["lookup"]["answers"], golden_differences.IN_LOOKUP, id="looking up"),
        pytest.param(GOLDEN["behavior"], golden_differences.IN_BEHAVIOR, id="everything else"),
    ],
)
def test_a_difference_is_one(answers: list[tuple[str, Any]], differences: dict[str, Any]) -> None:
    recorded = dict(answers)

    assert differences.keys() <= recorded.keys()
    assert [
        expression
        for expression, ours in differences.items()
        if recorded_answer(recorded[expression]) == ours
    ] == []


# -- signatures ------------------------------------------------------------------------------------


def parameters(recorded: str) -> list[inspect.Parameter]:
    """Read the parameters of a recorded signature."""
    names: dict[str, Any] = {}
    exec(f"def recorded{re.sub('<[^>]*>', 'None', recorded)}: ...", names)
    return without_self(names["recorded"])


def without_self(function: Callable[..., Any]) -> list[inspect.Parameter]:
    found = inspect.signature(function).parameters.values()
    return [parameter for parameter in found if parameter.name != "self"]


def of_kind(found: list[inspect.Parameter], *kinds: Any) -> list[str]:
    return [parameter.name for parameter in found if parameter.kind in kinds]


def callable_of(name: str) -> Callable[..., Any] | None:
    """Return what a dotted name stands for here, None if we do not have it."""
    first, *rest = name.split(".")
    holder: Any = {"core": core, "queries": queries, "databroker": databroker}.get(first)
    for attribute in rest:
        holder = getattr(holder, attribute, None)
    return holder


POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
CALLABLES = [
    pytest.param(ours, recorded[0], id=name)
    for name, recorded in GOLDEN["signatures"].items()
    if recorded and (ours := callable_of(name))
]


@pytest.mark.parametrize(("ours", "recorded"), CALLABLES)
def test_parameters_have_the_names_and_the_order_of_1x(
    ours: Callable[..., Any], recorded: str
) -> None:
    found, expected = without_self(ours), parameters(recorded)
    positional = of_kind(expected, *POSITIONAL)
    by_keyword = {*positional, *of_kind(expected, inspect.Parameter.KEYWORD_ONLY)}
    required = {p.name for p in found if p.default is p.empty and p.kind in POSITIONAL}

    assert of_kind(found, *POSITIONAL)[: len(positional)] == positional
    assert by_keyword <= {parameter.name for parameter in found}
    assert required <= set(positional)
