# Each target sets up what it needs. Required: Python 3.11 to 3.14, make and a package index.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
# The build of PyTorch, as uv names it: cpu, auto, cu128. Empty: the one that pip finds; on Linux that has CUDA.
TORCH ?=
# The tensors are tiny: a second thread inside an operation costs more than it gains.
export OMP_NUM_THREADS := 1

.PHONY: help setup demo demo-full test lint verify prove train clean

help:
	@echo 'make setup   create the virtual environment; TORCH=cpu selects the CPU build of PyTorch, a tenth of the size'
	@echo 'make demo    grade a sample class through nbgrader, print the table and write the pages'
	@echo 'make demo-full   grade the large class, over thirty students, which takes many minutes'
	@echo 'make test    run the linters, the type checker and every test except the slow tests'
	@echo 'make lint    run only the linters and the type checker'
	@echo 'make verify  prove the lab: references, stubs, alternatives and mistakes score as designed'
	@echo 'make prove   run what is too slow for make test: every attack, fault, mutant and seed; takes hours'
	@echo 'make train   train the GPT of stage 6 with the reference; TRAIN="--config known" selects another configuration'
	@echo 'make clean   remove the files that grading and tests created; keep the environment'

setup: $(READY)

# The stamp is written last, so make repeats an interrupted set-up.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' || \
		{ echo 'Python 3.11 to 3.14 is required; select it with: make PYTHON=python3.12 …'; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(if $(TORCH),$(PIP) uv)
	$(if $(TORCH),$(BIN)/python -m uv pip install --python $(BIN)/python --torch-backend $(TORCH) --constraint constraints.txt torch)
	$(PIP) --editable '.[dev]'
	@touch $(READY)

demo: $(READY)
	$(BIN)/autograder demo

demo-full: $(READY)
	$(BIN)/autograder demo --full

test: lint
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

verify: $(READY)
	$(BIN)/autograder verify

# Each step is a command of its own in CONTRIBUTING.md. All steps run, and prove fails if one of them failed.
# Mutants are those of what changed since BASE.
BASE ?= origin/main
PROOFS := prove-slow prove-verify prove-determinism prove-mutants

prove: $(READY)
	$(MAKE) --keep-going $(PROOFS)

.PHONY: $(PROOFS)
prove-slow: $(READY)
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder -m slow

prove-verify: $(READY)
	$(BIN)/autograder verify --seeds 3

prove-determinism: $(READY)
	$(BIN)/python -m tools.determinism --stage 1_kernels --stage 2_attention

prove-mutants: $(READY)
	$(BIN)/python -m tools.mutate --since $(BASE)

train: $(READY)
	$(BIN)/python -m benchmarks.train_reference $(TRAIN)

clean:
	rm -rf build .pytest_cache .mypy_cache .ruff_cache .hypothesis mutants
