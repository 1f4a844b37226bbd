"""Mongo query → nodes."""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import Any, Final

from databroker.errors import InvalidQueryError, UnsupportedQueryError
from databroker.search.nodes import (
    And,
    Compare,
    Comparison,
    ElemMatch,
    ElemTest,
    Eq,
    Exists,
    In,
    Mod,
    Node,
    Not,
    Or,
    Regex,
    Size,
    Type,
)
from databroker.search.text import text_of
from databroker.search.values import plain


def parse(query: Mapping[str, Any] | None) -> Node:
    """Read a query of the MongoDB query language.

    Parameters
    ----------
    query
        Any Mapping, such as a dict or an object of `databroker.queries`. None and an empty one
        match every Run.

    Raises
    ------
    databroker.errors.InvalidQueryError
        If it is no Mapping, or an operator is given something that makes no sense.
    databroker.errors.UnsupportedQueryError
        If it uses an operator that is not supported.

    Examples
    --------
    >>> parse({"plan_name": "scan", "num_points": {"$gt": 10}})
    And(nodes=(Eq(path='plan_name', value='scan'),
               Compare(path='num_points', comparison=<Comparison.GT: '$gt'>, value=10)))
    """
    if query is None:
        return And(())
    if not isinstance(query, Mapping):
        raise InvalidQueryError(
            f"A query is a Mapping such as {{'plan_name': 'scan'}}, not {query!r}."
        )
    return _all_of(_clause(key, operand) for key, operand in query.items() if key != "$comment")


def _all_of(nodes: Iterable[Node]) -> Node:
    """Return And, spared where there is just one node."""
    match tuple(nodes):
        case (node,):
            return node
        case several:
            return And(several)


def _clause(key: Any, operand: Any) -> Node:
    if not isinstance(key, str):
        raise InvalidQueryError(f"The keys of a query are strings, not {key!r}.")
    if key in _LOGICAL:
        return _LOGICAL[key](operand)
    if key.startswith("$"):
        raise _refused(key)
    return _condition(key, operand)


def _condition(path: str, operand: Any) -> Node:
    """Read what stands behind a path: operators, a regular expression, or a value to equal."""
    if isinstance(operand, re.Pattern):
        return _regex(path, operand, None)
    if _holds_operators(path, operand):
        return _operators(path, operand)
    return Eq(path, _value("$eq", path, operand))


def _holds_operators(path: str, operand: Any) -> bool:
    if not isinstance(operand, Mapping):
        return False
    operators = [_is_operator(key) for key in operand]
    if any(operators) and not all(operators):
        raise InvalidQueryError(
            f"The query for {path!r} mixes operators and keys, {list(operand)}: write either "
            f"operators, or dotted paths such as {path + '.key'!r}."
        )
    return any(operators)


def _is_operator(key: Any) -> bool:
    return isinstance(key, str) and key.startswith("$")


def _operators(path: str, operands: Mapping[str, Any]) -> Node:
    if "$options" in operands and "$regex" not in operands:
        raise _invalid("$options", path, operands["$options"], "$regex beside it")
    return _all_of(
        _operator(operator, path, operand, operands.get("$options"))
        for operator, operand in operands.items()
        if operator != "$options"
    )


def _operator(operator: str, path: str, operand: Any, options: Any) -> Node:
    if operator == "$regex":
        return _regex(path, operand, options)
    if operator not in _FIELD:
        raise _refused(operator)
    return _FIELD[operator](path, operand)


# --- logic


def _several(operator: str, operand: Any) -> tuple[Node, ...]:
    if not _is_sequence(operand) or not operand:
        raise InvalidQueryError(f"{operator} takes a list of at least one query, not {operand!r}.")
    return tuple(parse(query) for query in operand)


def _not(path: str, operand: Any) -> Node:
    if isinstance(operand, re.Pattern) or (operand and _holds_operators(path, operand)):
        return Not(_condition(path, operand))
    raise _invalid("$not", path, operand, "operators or a compiled regular expression")


def _text(operand: Any) -> Node:
    if not isinstance(operand, Mapping) or not isinstance(operand.get("$search"), str):
        raise InvalidQueryError(f"$text takes {{'$search': 'words'}}, not {operand!r}.")
    for option in operand:
        if option != "$search":
            raise _refused(option)
    return text_of(operand["$search"])


# --- values


def _eq(path: str, operand: Any) -> Node:
    return Eq(path, _value("$eq", path, operand))


def _ne(path: str, operand: Any) -> Node:
    return Not(Eq(path, _value("$ne", path, operand)))


def _compare(comparison: Comparison) -> Callable[[str, Any], Node]:
    def read(path: str, operand: Any) -> Node:
        return Compare(path, comparison, _value(comparison.value, path, operand))

    return read


def _one_of(operator: str, path: str, operand: Any) -> Node:
    items = _items(operator, path, operand)
    patterns = tuple(_regex(path, item, None) for item in items if isinstance(item, re.Pattern))
    values = tuple(
        _value(operator, path, item) for item in items if not isinstance(item, re.Pattern)
    )
    return Or((In(path, values), *patterns)) if patterns else In(path, values)


def _in(path: str, operand: Any) -> Node:
    return _one_of("$in", path, operand)


def _nin(path: str, operand: Any) -> Node:
    return Not(_one_of("$nin", path, operand))


def _all(path: str, operand: Any) -> Node:
    items = _items("$all", path, operand)
    # MongoDB says that $all of nothing finds nothing.
    return _all_of(_all_item(path, item) for item in items) if items else Or(())


def _all_item(path: str, item: Any) -> Node:
    match item:
        case re.Pattern():
            return _regex(path, item, None)
        case Mapping() if list(item) == ["$elemMatch"]:
            return _elem_match(path, item["$elemMatch"])
        case _:
            return Eq(path, _value("$all", path, item))


def _elem_match(path: str, operand: Any) -> Node:
    if not isinstance(operand, Mapping):
        raise _invalid("$elemMatch", path, operand, "a query")
    if any(_is_operator(key) and key not in {"$and", "$or", "$nor"} for key in operand):
        return ElemTest(path, _operators("", operand))
    return ElemMatch(path, parse(operand))


def _exists(path: str, operand: Any) -> Node:
    return Exists(path) if operand else Not(Exists(path))


def _size(path: str, operand: Any) -> Node:
    length = _whole(operand)
    if length is None or length < 0 or length != operand:
        raise _invalid("$size", path, operand, "a whole number that is not negative")
    return Size(path, length)


def _mod(path: str, operand: Any) -> Node:
    numbers = [_whole(item) for item in operand] if _is_sequence(operand) else []
    match numbers:
        case [int() as divisor, int() as remainder] if divisor:
            return Mod(path, divisor, remainder)
        case _:
            raise _invalid("$mod", path, operand, "[divisor, remainder], with a divisor not zero")


def _type(path: str, operand: Any) -> Node:
    asked = list(operand) if _is_sequence(operand) else [operand]
    names = [name for one in map(plain, asked) for name in _type_names(one)]
    if not names or not all(_type_names(one) for one in map(plain, asked)):
        raise _invalid("$type", path, operand, f"one or several of {', '.join(_TYPES)}, or codes")
    return Type(path, tuple(names))


def _type_names(asked: Any) -> tuple[str, ...]:
    if asked == "number":
        return ("double", "int", "long", "decimal")
    if isinstance(asked, str):
        return (asked,) if asked in _TYPES else ()
    code = _whole(asked)
    return tuple(name for name, known in _TYPES.items() if known == code == asked)


def _regex(path: str, operand: Any, options: Any) -> Node:
    match operand:
        case re.Pattern(pattern=str() as pattern, flags=flags):
            flags &= ~re.UNICODE
        case str() as pattern:
            flags = 0
        case _:
            raise _invalid("$regex", path, operand, "a string or a compiled regular expression")
    if options is not None:
        flags = _flags(path, options)
    try:
        re.compile(pattern, flags)
    except (re.error, OverflowError, RecursionError) as error:
        raise _invalid(
            "$regex", path, operand, f"a regular expression of Python ({error})"
        ) from None
    return Regex(path, str(pattern), int(flags))


def _flags(path: str, options: Any) -> int:
    if not isinstance(options, str) or not set(options) <= _FLAGS.keys():
        raise _invalid("$options", path, options, f"letters of {', '.join(_FLAGS)}")
    flags = 0
    for letter in options:
        flags |= _FLAGS[letter]
    return flags


def _value(operator: str, path: str, value: Any) -> Any:
    """Return a value of a query as it compares, down to its leaves."""
    value = plain(value)
    match value:
        case re.Pattern():
            raise _invalid(operator, path, value, "a value; regular expressions go to $regex")
        case list():
            return [_value(operator, path, item) for item in value]
        case Mapping():
            if any(map(_is_operator, value)):
                raise _invalid(
                    operator, path, value, "a value; an operator goes directly behind a dotted path"
                )
            return {key: _value(operator, path, item) for key, item in value.items()}
        case _:
            return value


def _items(operator: str, path: str, operand: Any) -> list[Any]:
    operand = list(operand) if isinstance(operand, Set) else plain(operand)
    if not _is_sequence(operand):
        raise _invalid(operator, path, operand, "a list")
    return list(operand)


def _is_sequence(operand: Any) -> bool:
    return isinstance(operand, Sequence) and not isinstance(operand, str | bytes | bytearray)


def _whole(value: Any) -> int | None:
    """Return the whole part of a number; None if there is none."""
    value = plain(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return int(value)


def _invalid(operator: str, path: str, operand: Any, takes: str) -> InvalidQueryError:
    return InvalidQueryError(f"{operator} for {path!r} takes {takes}, not {operand!r}.")


def _refused(operator: str) -> InvalidQueryError | UnsupportedQueryError:
    if operator in _FIELD or operator in {"$regex", "$options"}:
        return InvalidQueryError(
            f"{operator} goes behind a dotted path, as in {{'path': {{{operator!r}: value}}}}."
        )
    if operator in OPERATORS:
        return InvalidQueryError(f"{operator} goes in front of queries, not behind a dotted path.")
    return UnsupportedQueryError(
        f"The query operator {operator!r} is not supported; use one of {', '.join(OPERATORS)}."
    )


_LOGICAL: Final[dict[str, Callable[[Any], Node]]] = {
    "$and": lambda operand: And(_several("$and", operand)),
    "$or": lambda operand: Or(_several("$or", operand)),
    "$nor": lambda operand: Not(Or(_several("$nor", operand))),
    "$not": lambda operand: Not(parse(operand)),  # databroker 1.x took it from mongoquery
    "$text": _text,
}

_FIELD: Final[dict[str, Callable[[str, Any], Node]]] = {
    "$eq": _eq,
    "$ne": _ne,
    **{comparison.value: _compare(comparison) for comparison in Comparison},
    "$in": _in,
    "$nin": _nin,
    "$not": _not,
    "$exists": _exists,
    "$all": _all,
    "$elemMatch": _elem_match,
    "$size": _size,
    "$type": _type,
    "$mod": _mod,
}

OPERATORS: Final = tuple(sorted({*_LOGICAL, *_FIELD, "$regex", "$options", "$comment"}))

_FLAGS: Final = {
    "i": int(re.IGNORECASE),
    "m": int(re.MULTILINE),
    "s": int(re.DOTALL),
    "x": int(re.VERBOSE),
    "u": 0,  # patterns are of Unicode in any case
}

_TYPES: Final = {
    "double": 1,
    "string": 2,
    "object": 3,
    "array": 4,
    "binData": 5,
    "undefined": 6,
    "objectId": 7,
    "bool": 8,
    "date": 9,
    "null": 10,
    "regex": 11,
    "dbPointer": 12,
    "javascript": 13,
    "symbol": 14,
    "int": 16,
    "timestamp": 17,
    "long": 18,
    "decimal": 19,
    "minKey": -1,
    "maxKey": 127,
}
