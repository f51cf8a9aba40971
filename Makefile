# The verbs of this project. CI calls `make ci`, which is `make setup check`.
VENV ?= .venv
BIN := $(VENV)/bin
.DEFAULT_GOAL := help

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

ci: setup check ## what CI runs: set up from nothing, then check everything

setup: ## make the virtual environment, fetch models, browser and PostgreSQL; the only step that uses the network
	@test -x $(BIN)/python || python3 -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[test]'
	$(BIN)/python tests/setup_machine.py

check: lint types arrows docs test ## everything that must hold before a change lands

lint: ## style and formatting
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/ruff format --check src tests benchmarks

types: ## strict types
	$(BIN)/mypy

arrows: ## rooms import only downward
	$(BIN)/lint-imports

docs: ## the generated reference is up to date
	$(BIN)/python -m docs.reference --check

reference: ## write the generated reference
	$(BIN)/python -m docs.reference

# BLAS with threads of its own makes small matrix products several times slower on two busy cores.
test: ## all tests
	OPENBLAS_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile

format: ## format the code
	$(BIN)/ruff format src tests benchmarks
	$(BIN)/ruff check --fix src tests benchmarks

.PHONY: help ci setup check lint types arrows docs reference test format
