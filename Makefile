# Two commands do it all on a fresh machine: `make run` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
PORT ?= 8501
# Files of tests run side by side: two more than there are cores, as many wait for a browser or for other processes. Each
# has one thread: with several on every core, threads that wait for each other would take the time of the others.
WORKERS ?= $(shell expr `getconf _NPROCESSORS_ONLN` + 2)

.PHONY: run test lint format bench docs clean help

help:
	@echo "make run    set up and open the dashboard (PORT=8501)"
	@echo "make test   set up and run the tests"
	@echo "make lint   formatting, style and types"
	@echo "make docs   the numbers in docs/ from the shipped runs, and the site in site/"
	@echo "make bench  speed of the meta-step, and of a drag in a real browser"

run: .venv/run.stamp
	$(BIN)/python -m dashboard --port $(PORT)

test: .venv/dev.stamp
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

lint: .venv/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: .venv/dev.stamp
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/dev.stamp
	$(BIN)/python -m pip install --quiet -r requirements-bench.txt
	$(BIN)/python tests/benchmarks/meta_step.py
	$(BIN)/python tests/benchmarks/drag.py

docs: .venv/docs.stamp
	$(BIN)/python -m docs --measure
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Innerloop needs Python 3.11 or newer: make PYTHON=python3.12 run"; exit 1; }
	$(PYTHON) -m venv .venv

.venv/run.stamp: requirements.txt | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

.venv/dev.stamp: requirements-dev.txt requirements-oracle.txt .venv/run.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements-oracle.txt
	@touch $@

.venv/docs.stamp: requirements-docs.txt .venv/run.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-docs.txt
	@touch $@

clean:
	rm -rf .venv .pytest_cache .ruff_cache .mypy_cache site
