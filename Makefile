# make demo    the example application on SQLite, at http://127.0.0.1:8000
# make test    everything; installs what it needs
# make help    the rest

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
WORKERS ?= 1

.DEFAULT_GOAL := help
.PHONY: help demo test test-live test-fast fuzz soak check mutants check-security bench docs lock clean

help:  ## say what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 16

# One virtual environment, filled in steps: each stamp is what one target needs.
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Holdfast needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) pip

$(VENV)/.demo: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --editable '.[demo,crypto]'
	@touch $@

$(VENV)/.test: $(VENV)/.demo
	$(PIP) --editable '.[all]' --group test --group check --group fuzz
	@touch $@

# The libraries whose applications must run unchanged, apart: they bring drivers that clash with ours.
$(VENV)/.seeds: tests/compat/seeds.txt pyproject.toml | $(BIN)/python
	$(PYTHON) -m venv $(VENV)/seeds
	$(VENV)/seeds/bin/python -m pip install --quiet --disable-pip-version-check --requirement tests/compat/seeds.txt
	$(VENV)/seeds/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

$(VENV)/.bench: $(VENV)/.demo
	$(PIP) --editable '.[all]' --group bench --group test
	@touch $@

$(VENV)/.docs: $(VENV)/.demo
	$(PIP) --group docs
	@touch $@

demo: $(VENV)/.demo  ## the example application on SQLite, at http://127.0.0.1:8000 (WORKERS=2)
	$(BIN)/holdfast demo --workers $(WORKERS)

test: $(VENV)/.test $(VENV)/.seeds  ## everything, with a real browser; installs it where it may
	sh tests/install-servers.sh
	$(BIN)/pytest -m 'not live' --numprocesses 3 --dist worksteal

test-live: $(VENV)/.test $(VENV)/.seeds  ## what needs a server: each store, features and security on each
	sh tests/install-servers.sh
	$(BIN)/pytest -m 'server or live' --numprocesses 2 --dist worksteal

test-fast: $(VENV)/.test $(VENV)/.seeds  ## under a minute: no browser, no server, no second process
	$(BIN)/pytest -m 'not slow and not browser and not server and not live' --numprocesses 2 --dist worksteal

fuzz: $(VENV)/.test  ## foreign bytes against whatever reads them, half a minute each (ARGS="-k records")
	$(BIN)/pytest tests/fuzz --numprocesses 2 --dist worksteal $(ARGS)

soak: $(VENV)/.test  ## random processes against a model, a minute of each kind; foreign bytes, two
	sh tests/install-servers.sh
	HOLDFAST_SOAK=1 $(BIN)/pytest tests/model tests/turmoil -s
	HOLDFAST_SOAK=1 $(BIN)/pytest tests/fuzz --numprocesses 2 --dist worksteal

check: $(VENV)/.test  ## lint, format, types, floors
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/pytest --quiet tests/test_floors.py

mutants: $(VENV)/.test  ## take the protocols' rules away one by one: a test must fail each time
	$(BIN)/pytest tests/interleave/test_mutations.py

check-security: $(VENV)/.test  ## switch off each defence of docs/explain/security.md: its test must fail
	$(BIN)/pytest tests/security/test_switched_off.py

bench: $(VENV)/.bench  ## ours beside the others, with the targets (ARGS="hit session")
	$(BIN)/python -m bench $(ARGS)

docs: $(VENV)/.docs  ## the documentation, into site/
	$(BIN)/zensical build --strict

lock: | $(BIN)/python  ## choose the pinned versions anew
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --all-extras \
	  --group test --group check --group bench --group docs --group fuzz \
	  --no-header --no-annotate --upgrade --output-file constraints.txt pyproject.toml
	@echo "pip==$$($(BIN)/python -m pip index versions pip 2>/dev/null | sed -nE '1s/.*\((.*)\)/\1/p')" >> constraints.txt

clean:  ## remove what the other targets made
	rm -rf $(VENV) site build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
