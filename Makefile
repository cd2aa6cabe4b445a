# Everything a person needs: `make demo`, `make test`, `make check`.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test check fuzz clean

demo: .venv/installed
	$(BIN)/python -m tools.demo

test: .venv/installed-dev
	$(BIN)/python -m pytest -n auto --dist worksteal

check: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Bounded: so many seconds for each reader.
SECONDS ?= 60
fuzz: .venv/installed-dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[fuzz]'
	for reader in wire external preprocess; do \
		$(BIN)/python -m tools.fuzz $$reader -- -max_total_time=$(SECONDS) || exit 1; \
	done

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("ninspect needs Python 3.11 or newer; set PYTHON=...") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv .venv

.venv/installed: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

.venv/installed-dev: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch .venv/installed $@

clean:
	rm -rf .venv .cache build dist
