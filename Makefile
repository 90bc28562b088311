# Everything sets itself up: a machine with Python 3.11 or newer, make and a package index is enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Tensors here are tiny: a second thread inside an operation costs more than it gains.
export OMP_NUM_THREADS := 1

.PHONY: help setup demo test lint verify train clean

help:
	@echo 'make demo    grade a sample class through nbgrader, print the table, write the pages'
	@echo 'make test    lint, types and every test'
	@echo 'make verify  the proof of the lab: references, stubs, alternatives, mistakes'
	@echo 'make train   train the GPT of stage 6 with the reference; TRAIN="--config known" trains another'
	@echo 'make clean   remove what grading and tests left behind; the environment stays'

setup: $(READY)

# The stamp is written last: an interrupted set-up is done again.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo 'Python 3.11 or newer is needed; name one with: make PYTHON=python3.12 …'; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $(READY)

demo: $(READY)
	$(BIN)/autograder demo

test: lint
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/mypy

verify: $(READY)
	$(BIN)/autograder verify

train: $(READY)
	$(BIN)/python -m benchmarks.train_reference $(TRAIN)

clean:
	rm -rf build .pytest_cache .mypy_cache .ruff_cache .hypothesis mutants
