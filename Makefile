# Everything here sets itself up: a fresh clone needs Python 3.10 or newer, make, and a package index.
PYTHON ?= python3
VENV   ?= .venv
APP    := django
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

# The tests start Python some hundred times, in which each would compile the project and the tests anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint format types twins matrix bench storm clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The stamp is older than pyproject.toml after every change of a dependency, so re-running is quick and never stale.
$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "poststack needs Python 3.10 or newer; this is %d.%d. Try: make PYTHON=python3.12" % sys.version_info[:2])'
	@test -x $(BIN)/python || { echo "Creating $(VENV) …"; $(PYTHON) -m venv $(VENV); }
	@echo "Installing (about half a minute, once) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[all]" --group dev
	@touch $@

setup: $(READY) ## Create .venv with everything in it

demo: $(READY) ## Run an example against the local emulator (APP=django, flask or fastapi; ARGS=--once ends by itself)
	@$(BIN)/python -m example_projects.demo $(APP) $(ARGS)

# coverage starts before pytest does: the project's own pytest plugin is loaded too early for pytest-cov. Many tests wait
# for other processes, so there are more workers than cores.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print((os.cpu_count() or 1) + 1)')
test: $(READY) ## Run all tests with coverage (ARGS="-k name" chooses some, without)
ifeq ($(ARGS),)
	@$(BIN)/python -m coverage erase
	@$(BIN)/python -m coverage run -m pytest --numprocesses $(WORKERS) --dist worksteal
	@$(BIN)/python -m coverage combine --quiet
	@$(BIN)/python -m coverage report
else
	@$(BIN)/python -m pytest $(ARGS)
endif

lint: $(READY) ## Check style, and that generated code is up to date
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/python tools/unasync.py --check
	@$(BIN)/python -m tools.can_say --check
	@$(BIN)/python -m tools.reference --check

format: $(READY) ## Write the sync twins, sort imports, format
	@$(BIN)/python tools/unasync.py
	@$(BIN)/python -m tools.can_say
	@$(BIN)/python -m tools.reference
	@$(BIN)/ruff check --fix --quiet .
	@$(BIN)/ruff format --quiet .

types: $(READY) ## Check types with mypy and pyright, both strict
	@$(BIN)/mypy
	@$(BIN)/pyright --warnings

matrix: $(READY) ## Test on every Python and Django that is present
	@$(BIN)/python tools/matrix.py tests oldest django arq bare

bench: $(READY) ## Measure side by side with others, write benchmarks/RESULTS.md (ARGS="--only many" one section)
	@$(BIN)/python -m benchmarks $(ARGS)

storm: $(READY) ## Kill workers while e-mail is sent through queues, and count (ARGS="rq --mails 200" chooses)
	@$(BIN)/python -m tools.storm $(ARGS)

clean: ## Remove what the other targets made
	rm -rf $(VENV) .nox .bench .mypy_cache .pytest_cache .ruff_cache .coverage* htmlcov
