# jaxlab: `make run CONFIG=configs/gan_mnist.py` and `make test` are all that a newcomer needs.
# Every target sets up .venv when it is missing or out of date (pyproject.toml, constraints.txt).

CONFIG ?=
ARGS ?=
EXTRAS ?= test
VENV := .venv
PY := $(VENV)/bin/python
# uv installs in a third of pip's time; where it cannot (an index that only pip has been told of), pip does.
PIP = $(PY) -m pip install -qq --disable-pip-version-check --constraint constraints.txt
UV = $(PY) -m uv pip install --quiet --python $(PY) --constraint constraints.txt

# A Python of a supported version that can make a virtual environment; free-threaded builds have no packages yet.
VERSIONS := 3.14 3.13 3.12
SUPPORTED := import sys, venv, ensurepip; \
	sys.exit(not (3, 12) <= sys.version_info[:2] <= (3, 14) or "t" in sys.abiflags)

# The newest that starts, of those on the path and in pyenv's folder, whose names on the path (shims) may lead nowhere;
# uv is asked last. Searched for once, and only when .venv has to be made.
define SEARCH
	pyenv="$${PYENV_ROOT:-$$HOME/.pyenv}/versions"; \
	fits() { "$$1" -c '$(SUPPORTED)' >/dev/null 2>&1 </dev/null; }; \
	installed() { printf '%s\n' "$$pyenv"/$$1*/bin/python | sort -rV; }; \
	first() { while IFS= read -r python; do if fits "$$python"; then echo "$$python"; return 0; fi; done; return 1; }; \
	{ for version in $(VERSIONS); do echo python$$version; installed $$version; done; echo python3; installed ''; } | first \
	|| uv python find --system '>=3.12,<3.15' 2>/dev/null | first
endef
ifeq ($(origin PYTHON),undefined)
PYTHON = $(eval PYTHON := $$(shell $$(SEARCH)))$(PYTHON)
endif
NONE = no Python 3.12, 3.13 or 3.14 was found: install one ("apt-get install python3-venv", "pyenv install 3.13" or \
	"uv python install 3.13"), or name it: make setup PYTHON=FILE
UNFIT = $(PYTHON) cannot be used: Python 3.12, 3.13 or 3.14 with venv and pip is needed
FITTING = $(if $(PYTHON),,$(error $(NONE)))$(if $(shell '$(PYTHON)' -c '$(SUPPORTED)' 2>&1 || echo unfit),$(error $(UNFIT)))

# A .venv whose Python is gone (moved or upgraded) or too old is set up again.
BROKEN := $(shell $(PY) -c '$(SUPPORTED)' 2>/dev/null || echo broken)

.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: help setup run named list test parity smoke lint mutants bench bench-accelerator notebooks clean distclean always

help:
	@echo 'make run CONFIG=configs/gan_mnist.py [ARGS="--config.replicas=5 --data_dir=DIR"]   one experiment'
	@echo 'make list                     every experiment: aim, data set, published value'
	@echo 'make test [ARGS=...]          all tests that need no PyTorch (ARGS go to pytest; -n 0: one process)'
	@echo 'make parity                   the tests against PyTorch'
	@echo 'make smoke [ARGS=NAME ...]    the smoke profile of every config, through the command line'
	@echo 'make lint                     ruff, import-linter, mypy'
	@echo 'make mutants ARGS=jaxlab/measures   small faults planted in a part: how many do its tests notice?'
	@echo 'make bench [ARGS=--json=FILE] whole training steps against Flax and PyTorch'
	@echo 'make bench-accelerator [ARGS=--data_dir=DIR]  what an accelerator can do, in eight minutes'
	@echo 'make notebooks                executes the notebooks'
	@echo 'make setup [EXTRAS="test cuda"]  only the set-up; extras: test lint parity pretrained mutants notebooks tfds-prepare cloud cuda tpu'
	@echo 'make clean | distclean        removes caches | and .venv; runs/ stays'

# ---- set-up ----------------------------------------------------------------------------------------------------------
$(VENV)/.ready-base: pyproject.toml constraints.txt $(if $(BROKEN),always)
	$(if $(BROKEN),$(FITTING)@echo 'setting up $(VENV) (once, some minutes)'; '$(PYTHON)' -m venv --clear $(VENV))
	@{ $(PIP) uv && $(UV) --editable .; } 2>/dev/null || $(PIP) --editable .
	@touch $@

$(VENV)/.ready-%: $(VENV)/.ready-base
	@$(UV) --editable '.[$*]' 2>/dev/null || $(PIP) --editable '.[$*]'
	@touch $@

setup: $(VENV)/.ready-base $(EXTRAS:%=$(VENV)/.ready-%)
	@$(PY) --version

# ---- use -------------------------------------------------------------------------------------------------------------
run: named $(VENV)/.ready-base
	@$(PY) -m launch --config=$(CONFIG) $(ARGS)

named:
	@test -n '$(CONFIG)' || { echo 'make: which experiment? make run CONFIG=configs/gan_mnist.py;' \
		'make list shows them all' >&2; exit 2; }

list: $(VENV)/.ready-base
	@$(PY) -m launch --list $(ARGS)

# ---- checks ----------------------------------------------------------------------------------------------------------
# Processes of pytest, each with simulated devices of its own; they share the compiled programs. -n 0: all in one.
WORKERS := -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder
test: $(VENV)/.ready-test
	@$(PY) -m pytest $(WORKERS) -m 'not parity' $(ARGS)

# Only the files that hold such tests are imported: that is a third of the time.
PARITY = $(shell grep -rl 'mark\.parity' tests --include='test_*.py')
parity: $(VENV)/.ready-test $(VENV)/.ready-parity
	@$(PY) -m pytest $(WORKERS) -m parity $(or $(ARGS),$(PARITY))

smoke: $(VENV)/.ready-base
	@$(PY) -m launch.smoke $(ARGS)

IMPORTS = $(PY) -c 'from importlinter.cli import lint_imports_command as main; main()' --cache-dir .cache/import-linter
lint: $(VENV)/.ready-lint
	@failed=; \
	echo 'ruff'; $(PY) -m ruff check --quiet --output-format concise . && $(PY) -m ruff format --check . \
		|| failed="$$failed ruff"; \
	echo 'import-linter'; $(IMPORTS) || failed="$$failed import-linter"; \
	echo 'mypy'; $(PY) -m mypy || failed="$$failed mypy"; \
	test -z "$$failed" || { echo "lint failed:$$failed" >&2; exit 1; }

mutants: $(VENV)/.ready-test $(VENV)/.ready-mutants
	@$(PY) -m tests.mutants $(ARGS)

bench: $(VENV)/.ready-parity
	@$(PY) -m benchmarks.train_step $(ARGS)

bench-accelerator: $(VENV)/.ready-parity
	@$(PY) -m benchmarks.accelerator $(ARGS)

notebooks: $(VENV)/.ready-notebooks
	@$(PY) notebooks/execute.py $(ARGS)

clean:
	@rm -rf .cache .hypothesis .pytest_cache .ruff_cache .mypy_cache .import_linter_cache build dist *.egg-info
	@find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

distclean: clean
	@rm -rf $(VENV)
