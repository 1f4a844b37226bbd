"""What a query means: small frozen nodes.

Paths are dotted, as in MongoDB, and their beginning says what they reach:

- ``stop.…`` reaches the Run Stop,
- ``descriptors.…`` reaches the list of Event Descriptors,
- every other path reaches the Run Start, also a plain ``stop`` or ``descriptors``.

What MongoDB calls ``$ne``, ``$nin``, ``$nor`` and ``$all`` are no nodes of their own: they are
`Not`, `Or` and `And` over the others, with exactly the same meaning.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Literal, TypeAlias

Scope: TypeAlias = Literal["start", "stop", "descriptors"]


class Comparison(Enum):
    """How a value relates to the one in the query."""

    GT = "$gt"
    GTE = "$gte"
    LT = "$lt"
    LTE = "$lte"


@dataclass(frozen=True, slots=True)
class And:
    """All of the nodes hold; so an empty one always holds."""

    nodes: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one of the nodes holds; so an empty one never holds."""

    nodes: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The node does not hold."""

    node: "Node"


@dataclass(frozen=True, slots=True)
class Eq:
    """The value at the path, or an element of it, equals this one; None also means missing."""

    path: str
    value: Any


@dataclass(frozen=True, slots=True)
class Compare:
    """The value at the path, or an element of it, is of the same type and greater or less."""

    path: str
    comparison: Comparison
    value: Any


@dataclass(frozen=True, slots=True)
class In:
    """The value at the path, or an element of it, equals one of these."""

    path: str
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Exists:
    """There is a value at the path, be it None."""

    path: str


@dataclass(frozen=True, slots=True)
class Regex:
    """A string at the path, or an element of it, has a match of the pattern (`re.search`)."""

    path: str
    pattern: str
    flags: int = 0


@dataclass(frozen=True, slots=True)
class ElemMatch:
    """An element of the list at the path is a document for which the node holds.

    The paths of the inner node start at the element.
    """

    path: str
    node: "Node"


@dataclass(frozen=True, slots=True)
class ElemTest:
    """An element of the list at the path is itself a value for which the node holds.

    The inner node has no paths of its own: they are empty.
    """

    path: str
    node: "Node"


@dataclass(frozen=True, slots=True)
class Size:
    """The list at the path has this many elements."""

    path: str
    length: int


@dataclass(frozen=True, slots=True)
class Type:
    """The value at the path, or an element of it, has one of these types, named as in MongoDB."""

    path: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Mod:
    """The number at the path, divided by the divisor, leaves this remainder."""

    path: str
    divisor: int
    remainder: int


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words that follow each other in a text; with `prefix` the last one may go on."""

    words: tuple[str, ...]
    prefix: bool = False


@dataclass(frozen=True, slots=True)
class Text:
    """The strings of the Run Start, at any depth, say this.

    Words are runs of letters and digits, compared without regard to case; a phrase is found within
    one string. All of `every` and none of `none` must occur, and, where `every` is empty, one of
    `some`.

    - ``iron oxide`` asks for either word,
    - ``"iron oxide"`` in quotes for both, one behind the other; so does ``iron-oxide``,
    - ``iron -oxide`` excludes a word,
    - ``ox*`` asks for a word that begins so.

    As in MongoDB, a text with nothing but exclusions finds nothing.
    """

    some: tuple[Phrase, ...] = ()
    every: tuple[Phrase, ...] = ()
    none: tuple[Phrase, ...] = ()


@dataclass(frozen=True, slots=True)
class UidPrefix:
    """The uid of the Run Start begins with this."""

    prefix: str


Predicate: TypeAlias = Eq | Compare | In | Exists | Regex | ElemMatch | ElemTest | Size | Type | Mod
"""A node about what lies at a path."""

Node: TypeAlias = And | Or | Not | Text | UidPrefix | Predicate

EVERYTHING: Final = And(())


def reach(path: str) -> tuple[Scope, tuple[str, ...]]:
    """Say which documents a path reaches, and by which keys.

    Examples
    --------
    >>> reach("sample.name")
    ('start', ('sample', 'name'))
    >>> reach("stop.exit_status")
    ('stop', ('exit_status',))
    >>> reach("stop")
    ('start', ('stop',))
    """
    match tuple(path.split(".")):
        case ("stop" | "descriptors" as scope, *keys) if keys:
            return scope, tuple(keys)
        case keys:
            return "start", keys


def scopes(node: Node) -> frozenset[Scope]:
    """Say which documents of a Run decide whether the node holds.

    Examples
    --------
    >>> sorted(scopes(And((Eq("scan_id", 5), Exists("stop.reason")))))
    ['start', 'stop']
    >>> scopes(EVERYTHING)
    frozenset()
    """
    match node:
        case And(nodes) | Or(nodes):
            return frozenset[Scope]().union(*map(scopes, nodes))
        case Not(inner):
            return scopes(inner)
        case Text() | UidPrefix():
            return frozenset({"start"})
        case _:
            return frozenset({reach(node.path)[0]})
