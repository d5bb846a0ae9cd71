# Every command sets up what it needs: python3.11 or later with pip, make and git are enough.
PY ?= $(shell for p in python3.11 python3.12 python3.13 python3.14 python3; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install -q --disable-pip-version-check --retries 5 -c constraints.txt

.PHONY: demo test test-real lint types docs bench clean

demo: $(VENV)/.test
	$(BIN)/python -m custom_smtp demo

test: $(VENV)/.test
	$(BIN)/python -m pytest -q --cov --cov-report=term --ignore=tests/real

test-real: $(VENV)/.test
	$(BIN)/python -m pytest -q tests/real

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/.dev
	$(BIN)/mypy

docs: $(VENV)/.dev
	$(BIN)/sphinx-build -q -W --keep-going -b html docs docs/_build/html

clean:
	rm -rf $(VENV) docs/_build build dist .coverage .coverage.* .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	@test -n "$(PY)" || { echo "missing: python3.11 or later, with its venv module (on Debian: apt install python3 python3-venv)"; exit 1; }
	$(PY) -m venv $(VENV)

$(VENV)/.test: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(INSTALL) -e '.[test]'
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(INSTALL) -e '.[dev]'
	@touch $@ $(VENV)/.test
