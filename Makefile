# Every command sets up what it needs, in .venv: python3.11 or later and make are enough.
PY ?= python3 python3.11 python3.12 python3.13 python3.14 python3.15
VENV := .venv
PYTHON := $(VENV)/bin/python
# In the environment, so that the tools that build the package are held to the same versions.
INSTALL := PIP_CONSTRAINT=constraints.txt $(PYTHON) -m pip install -q --disable-pip-version-check --retries 5 --timeout 60

.PHONY: demo test test-real lint types docs bench clean

demo: $(VENV)/.testing
	$(PYTHON) -m custom_smtp demo

test: $(VENV)/.test
	$(PYTHON) -m pytest -q --cov --cov-report=term --ignore=tests/real

test-real: $(VENV)/.test
	$(PYTHON) -m pytest -q tests/real

lint: $(VENV)/.dev
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .

types: $(VENV)/.dev
	$(PYTHON) -m mypy
	$(PYTHON) docs/types_of_examples.py

docs: $(VENV)/.dev
	$(PYTHON) -m sphinx -q -W --keep-going -b html docs docs/_build/html

bench: $(VENV)/.test
	$(PYTHON) benchmarks/import_time.py

clean:
	rm -rf $(VENV) docs/_build build dist .coverage .coverage.* .mypy_cache .pytest_cache .ruff_cache .hypothesis

# The first python that is new enough and can make an environment; else one line about what is missing.
$(PYTHON):
	@missing="python3.11 or later (Debian: apt install python3 python3-venv)"; \
	for python in $(PY); do \
		$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
		missing="the modules venv and ensurepip of $$python (Debian: apt install python3-venv)"; \
		$$python -c 'import venv, ensurepip' 2>/dev/null || continue; \
		$$python -m venv $(VENV) && exit; \
		missing="a place for $$python to make $(VENV) in"; \
	done; \
	rm -rf $(VENV); echo "missing: $$missing"; exit 1

$(VENV)/.testing: pyproject.toml constraints.txt | $(PYTHON)
	$(INSTALL) -e '.[testing]'
	@touch $@

$(VENV)/.test: pyproject.toml constraints.txt | $(PYTHON)
	$(INSTALL) -e '.[test]'
	@touch $(VENV)/.testing $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(PYTHON)
	$(INSTALL) -e '.[dev]'
	@touch $(VENV)/.testing $(VENV)/.test $@
