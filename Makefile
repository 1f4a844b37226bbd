# Each target makes the virtual environment .venv if there is none, and installs what it needs.
# Only Python 3.11 or newer, git and make have to be there.

PYTHON ?= python3
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

INSTALL_demo := --editable '.[demo]'
INSTALL_test := --editable . --group test
INSTALL_docs := --editable . --group docs

.DEFAULT_GOAL := help
.PHONY: help demo test bench docs clean

help:  ## Say what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-6s %s\n", $$1, $$2}' Makefile

demo: $(VENV)/demo.installed  ## Record Runs with a RunEngine, look at them, plot them
	@$(BIN)/databroker demo

test: $(VENV)/test.installed  ## Lint, check types and layers, and test (ARGS="-k search")
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/basedpyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports
	$(BIN)/python -m pytest $(ARGS)

bench: $(VENV)/test.installed  ## Measure, beside the floor
	$(BIN)/python -m pytest benchmarks --benchmark-enable $(ARGS)

docs: $(VENV)/docs.installed  ## Build the documentation
	$(BIN)/sphinx-build -W --keep-going docs docs/_build/html

clean:  ## Remove the virtual environment, and all that was built
	rm -rf $(VENV) build dist docs/_build .benchmarks .hypothesis .import_linter_cache .pytest_cache .ruff_cache

# Installing again is only needed after a change of what is to be installed.
$(VENV)/%.installed: pyproject.toml constraints.txt | $(VENV)/pip.installed
	$(PIP) --constraint constraints.txt $(INSTALL_$*)
	@touch $@

# Dependency groups need pip 25.1.
$(VENV)/pip.installed:
	$(PYTHON) -m venv $(VENV)
	$(PIP) 'pip>=25.1'
	@touch $@
