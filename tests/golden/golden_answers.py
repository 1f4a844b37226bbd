"""Asking databroker about a Run, and saying its answers in JSON."""

import contextlib
import inspect
import math
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

Answer: TypeAlias = dict[str, Any]

HERE = Path(__file__).parent
RECORDED = HERE / "databroker_1_2_5.json"


# --- saying answers in JSON ----------------------------------------------------------------------


def plain(value: Any) -> Any:
    """Say any value in JSON."""
    match value:
        case None | bool():
            return value
        case str():
            return scrubbed(value)
        case np.ndarray() | np.generic():
            return plain(value.tolist())
        case int():
            return value
        case float():
            return value if math.isfinite(value) else str(value).replace("nan", "NaN")
        case Mapping():
            return {str(key): plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
        case set() | frozenset():
            return sorted(map(plain, value))
        case type():
            return {"type": "type", "repr": f"{value.__module__}.{value.__qualname__}"}
        case _:
            return {"type": type_name(value), "repr": scrubbed(repr(value))}


def type_name(value: Any) -> str:
    """Name the class of a value."""
    return f"{type(value).__module__}.{type(value).__qualname__}"


def scrubbed(text: str) -> str:
    """Take out what changes from one process to the next."""
    return re.sub(r"(/tmp|/var)/[^\s'\"]*", "<path>", re.sub(r"0x[0-9a-f]+", "0x…", text))


def answer(ask: Callable[[], Any]) -> Answer:
    """Keep what a question gives, raises and warns."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            said: Answer = {"value": plain(ask())}
        except Exception as error:  # noqa: BLE001  every error is an answer
            said = raised(error)
    heard = [
        [warning.category.__name__, scrubbed(str(warning.message))]
        for warning in caught
        if warning.category is not FutureWarning  # those are xarray's, about its own future
    ]
    return said | ({"warns": heard} if heard else {})


def raised(error: Exception) -> Answer:
    """Keep an error."""
    return {"raises": [type(error).__name__, scrubbed(str(error))]}


def dataset(read: Callable[[], Any]) -> Answer:
    """Keep a Dataset."""
    return answer(lambda: described(read()))


def described(data: Any) -> Answer:
    """Describe a Dataset whole."""
    return {
        "dims": {str(name): size for name, size in data.sizes.items()},
        "coords": sorted(map(str, data.coords)),
        "data_vars": [str(name) for name in data.data_vars],
        "attrs": plain(data.attrs),
        "variables": {str(name): variable(data[name]) for name in data.variables},
    }


def variable(array: Any) -> Answer:
    """Describe one variable of a Dataset."""
    return {
        "dims": list(array.dims),
        "shape": list(array.shape),
        "dtype": str(array.dtype),
        "kind": array.dtype.kind,
        "values": plain(array.values),
        "attrs": plain(array.attrs),
    }


# --- asking about one Run ------------------------------------------------------------------------


class Printer:
    """Collect what ``_repr_pretty_`` writes, as IPython's printer does."""

    def __init__(self) -> None:
        self.parts: list[str] = []

    def text(self, text: str) -> None:
        self.parts.append(text)

    def breakable(self, separator: str = " ") -> None:
        self.parts.append(separator)

    def pretty(self, thing: Any) -> None:
        self.parts.append(repr(thing))

    @contextlib.contextmanager
    def group(self, indent: int, opened: str, closed: str) -> Iterator[None]:
        self.text(opened)
        yield
        self.text(closed)


def pretty(thing: Any) -> str:
    """Print a thing as IPython does."""
    printer = Printer()
    thing._repr_pretty_(printer, False)
    return "".join(printer.parts)


def summary(name: str, document: Mapping[str, Any]) -> list[Any]:
    """Say which document this is: its kind, its uid or uids, and its seq_nums."""
    identity = document.get("uid", document.get("datum_id"))
    return [name, plain(identity), *([plain(document["seq_num"])] if "seq_num" in document else [])]


def summaries(run: Any, **kwargs: Any) -> list[Any]:
    """List the documents of a Run."""
    return [[*summary(name, doc), type(doc).__name__] for name, doc in run.documents(**kwargs)]


def event_pages(run: Any, **kwargs: Any) -> list[Any]:
    """List the Event Pages of a Run, whole."""
    return [dict(doc) for name, doc in run.documents(**kwargs) if name == "event_page"]


def asked_of_run(run: Any, with_configuration: bool) -> Answer:
    """Ask everything about one Run."""
    streams = answer(lambda: list(run))
    return {
        "list(run)": streams,
        "repr(run)": answer(lambda: repr(run)),
        "pretty(run)": answer(lambda: pretty(run)),
        "metadata": answer(lambda: sorted(run.metadata)),
        "metadata['stop'] is None": answer(lambda: run.metadata["stop"] is None),
        "documents(fill='no')": answer(lambda: summaries(run, fill="no")),
        "streams": {
            name: asked_of_stream(run[name])
            | (asked_of_configuration(run[name]) if with_configuration else {})
            for name in streams.get("value", [])
        },
    }


def asked_of_stream(stream: Any) -> Answer:
    """Ask what one stream says and holds."""
    return {
        "repr": answer(lambda: repr(stream)),
        "metadata": answer(lambda: sorted(stream.metadata)),
        "descriptors": answer(lambda: [d["uid"] for d in stream.metadata["descriptors"]]),
        "list(config)": answer(lambda: list(stream.config)),
        "read": dataset(stream.read),
        "timestamps": dataset(stream.timestamps.read),
    }


def asked_of_configuration(stream: Any) -> Answer:
    """Ask for the configuration of every device."""
    return {
        attribute: {
            device: dataset(lambda of=of, device=device: of[device].read()) for device in of
        }
        for attribute in ("config", "config_timestamps")
        for of in [getattr(stream, attribute)]
    }


# --- asking by expressions -----------------------------------------------------------------------


def expressions(topic: str) -> list[str]:
    """Read the expressions about a topic, one to a line."""
    text = HERE.joinpath(f"{topic}.txt").read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def asked(expression: str, names: dict[str, Any]) -> Answer:
    """Answer an expression."""
    return answer(lambda: eval(expression, names))


def signature(name: str, names: dict[str, Any]) -> list[str]:
    """Say the parameters of a callable."""
    with contextlib.suppress(ValueError):
        return [scrubbed(str(inspect.signature(eval(name, names))))]
    return []
