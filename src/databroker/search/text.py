"""Words and phrases: the full-text part of a query."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any, Final

from databroker.search.nodes import Phrase, Text
from databroker.search.values import plain

_WORD: Final = re.compile(r"[^\W_]+")
_TERM: Final = re.compile(r'(?P<minus>-?)(?:"(?P<phrase>[^"]*)"?|(?P<token>[^\s"]+))')


def words(text: str) -> tuple[str, ...]:
    """Split a text into its words, without regard to case.

    A full-text index that is given these words, joined by spaces, agrees with `says`.

    Examples
    --------
    >>> words("Iron-Oxide, 5_µm")
    ('iron', 'oxide', '5', 'μm')
    """
    return tuple(_WORD.findall(unicodedata.normalize("NFKC", text).casefold()))


def strings(value: Any) -> Iterator[str]:
    """Yield all strings within a document, at any depth; keys do not count."""
    waiting = [value]
    while waiting:
        match plain(waiting.pop()):
            case str() as text:
                yield text
            case Mapping() as document:
                waiting.extend(document.values())
            case list() as items:
                waiting.extend(items)


def text_of(search: str) -> Text:
    """Read what a user wrote into a search box.

    Examples
    --------
    >>> text_of('"iron oxide" -rust')
    Text(some=(), every=(Phrase(words=('iron', 'oxide'), prefix=False),),
         none=(Phrase(words=('rust',), prefix=False),))
    """
    some: list[Phrase] = []
    every: list[Phrase] = []
    none: list[Phrase] = []
    for term in _TERM.finditer(search):
        quoted = term["phrase"] is not None
        source = term["phrase"] if quoted else term["token"]
        phrase = Phrase(words(source), prefix=not quoted and source.endswith("*"))
        if phrase.words:
            (none if term["minus"] else every if quoted else some).append(phrase)
    return Text(tuple(some), tuple(every), tuple(none))


def says(document: Mapping[str, Any], text: Text) -> bool:
    """Say whether the strings of a document contain what the text asks for."""
    sentences = [words(string) for string in strings(document)]

    def occurs(phrase: Phrase) -> bool:
        return any(_contains(sentence, phrase) for sentence in sentences)

    return (
        all(map(occurs, text.every))
        and (bool(text.every) or any(map(occurs, text.some)))
        and not any(map(occurs, text.none))
    )


def _contains(sentence: tuple[str, ...], phrase: Phrase) -> bool:
    *head, last = phrase.words
    length = len(phrase.words)
    return any(
        list(sentence[at : at + length - 1]) == head
        and (word.startswith(last) if phrase.prefix else word == last)
        for at, word in enumerate(sentence[length - 1 :])
    )
