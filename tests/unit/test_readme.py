"""The code in README and docs runs, and prints what they say."""

import contextlib
import doctest
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [*ROOT.glob("*.md"), *sorted((ROOT / "docs").rglob("*.md"))]

FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>[\w+-]*)[^\n]*\n(?P<text>.*?)^(?P=indent)``` *$",
    re.MULTILINE | re.DOTALL,
)
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)")
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@dataclass(frozen=True)
class Block:
    """A block of code of a page: its language, where it begins, and what it says."""

    language: str
    line: int
    text: str


def blocks(page: str) -> Iterator[Block]:
    """Yield the blocks of a page that are run or compared."""
    for match in FENCE.finditer(page):
        if match["language"] in RUN:
            line = page.count("\n", 0, match.start("text"))
            yield Block(match["language"], line, dedent(match["text"]))


class Session:
    """Runs the blocks of one page, one after the other, in one namespace.

    A ``python`` block is a script, a ``pycon`` block an interactive session, and an ``output``
    block is what the python block before it prints, with ``...`` for what varies.
    """

    def __init__(self, page: str) -> None:
        self._page = page
        self._namespace: dict[str, Any] = {"__name__": "__main__"}
        self._printed = ""

    def run(self, block: Block) -> None:
        RUN[block.language](self, block)

    def python(self, block: Block) -> None:
        printed = io.StringIO()
        code = compile("\n" * block.line + block.text, self._page, "exec")
        with contextlib.redirect_stdout(printed):
            exec(code, self._namespace)
        self._printed = printed.getvalue()

    def pycon(self, block: Block) -> None:
        test = doctest.DocTestParser().get_doctest(
            block.text, self._namespace, self._page, self._page, block.line
        )
        runner = doctest.DocTestRunner(optionflags=OPTIONS)
        report = io.StringIO()
        runner.run(test, out=report.write, clear_globs=False)
        self._namespace.update(test.globs)
        assert runner.summarize(verbose=False).failed == 0, report.getvalue()

    def output(self, block: Block) -> None:
        if not doctest.OutputChecker().check_output(block.text, self._printed, OPTIONS):
            pytest.fail(
                f"{self._page}, line {block.line}: the code before prints something else:\n"
                f"{self._printed}\nThe page says:\n{block.text}"
            )


RUN = {"python": Session.python, "pycon": Session.pycon, "output": Session.output}


def run_page(page: str, name: str) -> None:
    session = Session(name)
    for block in blocks(page):
        session.run(block)


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_code_of_a_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    run_page(page.read_text(), name_of(page))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_links_of_a_page_lead_somewhere(page):
    links = LINK.findall(page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_readme_has_code_that_runs_and_prints():
    languages = [block.language for block in blocks((ROOT / "README.md").read_text())]
    assert languages == ["python", "output"]


# The session itself

PAGE = """
```python
x = 1
print("x is", x)
```

```output
x is ...
```

Later:

  ```pycon
  >>> x + 1
  2
  ```

```sh
not run
```
"""


def test_blocks_share_a_namespace_and_are_compared_with_what_they_print():
    run_page(PAGE, "a page")
    assert [(block.language, block.line) for block in blocks(PAGE)] == [
        ("python", 2), ("output", 7), ("pycon", 13),
    ]  # fmt: skip


def test_code_that_raises_fails_and_names_its_line():
    with pytest.raises(ZeroDivisionError) as caught:
        run_page(PAGE.replace("x = 1", "x = 1 / 0"), "a page")
    last = caught.traceback[-1]
    assert (str(last.path), last.lineno + 1) == ("a page", 3)


def test_other_output_fails():
    with pytest.raises(pytest.fail.Exception, match="x is 1"):
        run_page(PAGE.replace("x is ...", "y is ..."), "a page")


def test_another_answer_of_an_interactive_session_fails():
    with pytest.raises(AssertionError, match="Got"):
        run_page(PAGE.replace("  2\n", "  3\n"), "a page")
