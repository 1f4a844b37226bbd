"""constraints.txt pins what the tests run with."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PINS = [
    line
    for line in (ROOT / "constraints.txt").read_text().splitlines()
    if line and not line.startswith("#")
]
NEEDED = [
    *PYPROJECT["project"]["dependencies"],
    *PYPROJECT["dependency-groups"]["test"],
    *(text for extra in PYPROJECT["project"]["optional-dependencies"].values() for text in extra),
]


def test_each_line_pins_one_version_and_names_no_place():
    assert [line for line in PINS if not re.fullmatch(r"[\w.-]+==[\w.]+", line)] == []


@pytest.mark.parametrize("text", [text for text in NEEDED if not text.startswith("databroker[")])
def test_every_dependency_is_pinned_to_a_version_that_it_allows(text):
    needed = Requirement(text)
    versions = {
        canonicalize_name(name): version for name, version in (pin.split("==") for pin in PINS)
    }
    assert versions[canonicalize_name(needed.name)] in needed.specifier


@pytest.mark.parametrize("text", NEEDED)
def test_no_dependency_has_an_upper_limit(text):
    limits = [limit for limit in Requirement(text).specifier if limit.operator not in (">=", "!=")]
    assert limits == []
