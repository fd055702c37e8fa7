# Every target sets up its environment. PYTHON is the interpreter for new environments.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OLDEST := .venv-oldest
AUDIT := .venv-audit
LOCKED := deploy/requirements.txt
TYPESCRIPT := tests/http/typescript
EXAMPLE := examples/digits
EXAMPLES := $(EXAMPLE) examples/filetype
QUIETLY := --quiet --disable-pip-version-check
# Skip compiling all modules, which takes half of pip's time: Python compiles them on first import.
INSTALL := -m pip install --no-compile $(QUIETLY)
unexport PYTHONDONTWRITEBYTECODE
# Tests run in parallel; threads for every core in every process would slow down all of them.
export OPENBLAS_NUM_THREADS := 1
PACKAGES := postgresql wrk chromium chromium-headless-shell nginx-light systemd tini
ROUNDS := 3
# Tests spend half of their time waiting, so run more of them than there are cores.
SIDE_BY_SIDE := --numprocesses $(shell expr 2 \* $$(nproc)) --dist loadgroup
# The oldest versions that pyproject.toml allows: of webargs, whose fields models use, and of aiohttp, whose
# undocumented parts http/fast_path/ uses.
OLDEST_PACKAGES := webargs==5.5.3 aiohttp==3.11.0
ON_OLDEST := $(addprefix tests/model/test_,arguments.py fields.py invalid_declarations.py loaded_model.py) \
	$(addprefix tests/http/test_,accept_header.py argument_sources.py fast_path.py fast_path_equivalence.py openapi.py predictions.py \
	streaming.py uploads.py)
MINUTES := 10
# Create an environment, unless it exists and has pip: Debian without python3-venv creates one without.
# The pip of Python 3.11 takes twice as long as the newest one.
environment = $(1)/bin/python -m pip --version >/dev/null 2>&1 || \
	{ $(PYTHON) -m venv $(1) && $(1)/bin/python -m pip install $(QUIETLY) --upgrade pip; }

.DEFAULT_GOAL := help
.PHONY: help setup system-packages run docs test test-fast test-oldest test-ray check fix lock audit bench scaling soak vendor screenshots clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 16

$(VENV)/.serve: pyproject.toml $(EXAMPLE)/pyproject.toml
	@$(call environment,$(VENV))
	@echo "Installing into $(VENV); the first time takes a minute ..."
	@$(BIN)/python $(INSTALL) --editable . --editable $(EXAMPLE)
	touch $@

# uv takes a third of pip's time. `make run`, which users call, uses pip, which knows their configuration.
$(VENV)/.develop: pyproject.toml $(EXAMPLES:=/pyproject.toml)
	@$(call environment,$(VENV))
	$(BIN)/python $(INSTALL) uv
	$(BIN)/python -m uv pip install --python $(VENV) --quiet --editable '.[test,check,docs]' $(EXAMPLES:%=--editable %)
	touch $(VENV)/.serve $@

# It shares the packages of the other environment, except for OLDEST_PACKAGES.
$(OLDEST)/.develop: $(VENV)/.develop
	$(BIN)/python tests/support/python_environment.py $(OLDEST)
	$(BIN)/python -m pip --python $(OLDEST) install $(QUIETLY) --no-deps $(OLDEST_PACKAGES)
	$(OLDEST)/bin/python -W ignore -c 'import aiohttp, webargs; \
		assert " ".join(f"{each.__name__}=={each.__version__}" for each in (webargs, aiohttp)) == "$(OLDEST_PACKAGES)"'
	touch $@

$(TYPESCRIPT)/node_modules/.package-lock.json: $(TYPESCRIPT)/package-lock.json $(VENV)/.develop
	PATH="$(CURDIR)/$(BIN):$$PATH" npm ci --prefix $(TYPESCRIPT) --no-audit --no-fund --silent
	touch $@

setup: $(VENV)/.develop $(OLDEST)/.develop $(TYPESCRIPT)/node_modules/.package-lock.json system-packages  ## create the environments, install packages for the tests

system-packages:
	@sh tools/install-system-packages $(PACKAGES)

run: $(VENV)/.serve  ## serve the example on 127.0.0.1:5000
	$(BIN)/deepaas-run --model-name digits --reload-after-train

docs: $(VENV)/.develop  ## build the documentation into docs/_build/html; warnings are errors
	$(BIN)/sphinx-build --fail-on-warning --keep-going --nitpicky --quiet docs docs/_build/html
	@echo "Open docs/_build/html/index.html"

test: setup test-oldest  ## run all tests, those marked `alone` last and sequentially
	$(BIN)/pytest $(SIDE_BY_SIDE) -m "not alone"
	for example in $(EXAMPLES); do $(BIN)/pytest $(SIDE_BY_SIDE) $$example/tests || exit; done
	$(BIN)/pytest $(shell grep --recursive --files-with-matches 'mark.alone' tests --include='test_*.py') -m alone

test-fast: setup  ## run all fast tests
	$(BIN)/pytest $(SIDE_BY_SIDE) -m "not slow and not alone and not ray"

test-oldest: setup
	$(OLDEST)/bin/pytest $(SIDE_BY_SIDE) -m "not ray" $(ON_OLDEST)

test-ray: setup  ## run the tests for Ray on a local cluster of three nodes
	$(BIN)/pytest -m ray

check: $(VENV)/.develop system-packages  ## run linters and type checks without changing files
	$(BIN)/python tools/sync_client.py --check
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/vendor.py --check
	$(BIN)/python tools/vendor.py --check --folder tests/ui/vendor
	@sh tools/check-deploy $(BIN)

fix: $(VENV)/.develop  ## format the code, fix lint errors, generate the blocking client
	$(BIN)/ruff format
	$(BIN)/ruff check --fix
	$(BIN)/python tools/sync_client.py

$(VENV)/.bench: $(VENV)/.develop
	$(BIN)/python $(INSTALL) --editable '.[bench]'
	touch $@

$(AUDIT)/.installed:
	@$(call environment,$(AUDIT))
	$(AUDIT)/bin/python $(INSTALL) pip-tools pip-audit
	touch $@

lock: $(AUDIT)/.installed  ## update the versions and hashes of the image's packages
	echo '# The packages of the image, with the hashes of their files. `make lock` writes it.' > $(LOCKED)
	$(AUDIT)/bin/pip-compile --quiet --upgrade --strip-extras --extra postgresql --generate-hashes --no-header \
		--no-emit-index-url --no-emit-trusted-host --no-emit-find-links --output-file - pyproject.toml >> $(LOCKED)

audit: $(AUDIT)/.installed  ## check the image's packages for known vulnerabilities, with an online service
	$(AUDIT)/bin/pip-audit --requirement $(LOCKED) --require-hashes --disable-pip --strict

bench: setup  ## compare with other servers, about 3 minutes per round; ROUNDS=3
	$(BIN)/python -m benchmarks $(ROUNDS)

scaling: setup $(VENV)/.bench  ## measure how costs grow with load
	$(BIN)/python -m benchmarks.scaling

soak: setup  ## mix predictions, uploads, trainings, kills and disconnects for MINUTES=10
	$(BIN)/python benchmarks/soak.py $(MINUTES)

vendor: $(VENV)/.develop  ## fetch the browser assets listed in the manifests
	$(BIN)/python tools/vendor.py
	$(BIN)/python tools/vendor.py --folder tests/ui/vendor

screenshots: setup  ## save screenshots of the web UI in docs/images
	$(BIN)/python tools/screenshots.py

clean:  ## remove the environments and caches
	rm -rf $(TYPESCRIPT)/node_modules $(VENV) $(OLDEST) $(AUDIT) .venv-bench .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache docs/_build
