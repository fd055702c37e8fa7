# Every target sets up what it needs. PYTHON is the interpreter that the environments are made with.

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
# Modules are compiled when they are first imported: compiling all of them takes pip half of its time.
INSTALL := -m pip install --no-compile $(QUIETLY)
unexport PYTHONDONTWRITEBYTECODE
# Several tests run at once; threads for each core in each of their processes would hold up all of them.
export OPENBLAS_NUM_THREADS := 1
PACKAGES := postgresql wrk chromium chromium-headless-shell nginx-light systemd tini
ROUNDS := 3
# Tests wait for other processes half of the time, so there are more of them at once than cores.
SIDE_BY_SIDE := --numprocesses $(shell expr 2 \* $$(nproc)) --dist loadgroup
# The oldest that pyproject.toml allows of what may change under us: webargs, which gives models their fields, and
# aiohttp, of which http/fast_path/ uses undocumented parts.
OLDEST_PACKAGES := webargs==5.5.3 aiohttp==3.11.0
ON_OLDEST := tests/model $(addprefix tests/http/test_,documents.py negotiating.py one_meaning.py predictions.py \
	shortcut.py sources.py streaming.py uploads.py)
MINUTES := 10
# Makes an environment, unless it is there with pip: Debian without python3-venv leaves one that has none.
# The pip that comes with Python 3.11 takes twice as long as the newest.
environment = $(1)/bin/python -m pip --version >/dev/null 2>&1 || \
	{ $(PYTHON) -m venv $(1) && $(1)/bin/python -m pip install $(QUIETLY) --upgrade pip; }

.DEFAULT_GOAL := help
.PHONY: help setup system-packages run docs test test-fast test-oldest test-ray check fix lock audit bench growth soak vendor screenshots clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 16

$(VENV)/.serve: pyproject.toml $(EXAMPLE)/pyproject.toml
	@$(call environment,$(VENV))
	@echo "Installing into $(VENV); the first time takes a minute ..."
	@$(BIN)/python $(INSTALL) --editable . --editable $(EXAMPLE)
	touch $@

# uv takes a third of the time that pip takes. Users' `make run` keeps to pip, which knows the settings of their machine.
$(VENV)/.develop: pyproject.toml $(EXAMPLES:=/pyproject.toml)
	@$(call environment,$(VENV))
	$(BIN)/python $(INSTALL) uv
	$(BIN)/python -m uv pip install --python $(VENV) --quiet --editable '.[test,check,docs]' $(EXAMPLES:%=--editable %)
	touch $(VENV)/.serve $@

# It has the packages of the other environment, but for these.
$(OLDEST)/.develop: $(VENV)/.develop
	$(BIN)/python tests/support/python_environment.py $(OLDEST)
	$(BIN)/python -m pip --python $(OLDEST) install $(QUIETLY) --no-deps $(OLDEST_PACKAGES)
	$(OLDEST)/bin/python -W ignore -c 'import aiohttp, webargs; \
		assert " ".join(f"{each.__name__}=={each.__version__}" for each in (webargs, aiohttp)) == "$(OLDEST_PACKAGES)"'
	touch $@

$(TYPESCRIPT)/node_modules/.package-lock.json: $(TYPESCRIPT)/package-lock.json $(VENV)/.develop
	PATH="$(CURDIR)/$(BIN):$$PATH" npm ci --prefix $(TYPESCRIPT) --no-audit --no-fund --silent
	touch $@

setup: $(VENV)/.develop $(OLDEST)/.develop $(TYPESCRIPT)/node_modules/.package-lock.json system-packages  ## make the environments, install what the tests need

system-packages:
	@sh tools/install-system-packages $(PACKAGES)

run: $(VENV)/.serve  ## serve the example on 127.0.0.1:5000
	$(BIN)/deepaas-run --model-name digits --reload-after-train

docs: $(VENV)/.develop  ## build the documentation into docs/_build/html; warnings are errors
	$(BIN)/sphinx-build --fail-on-warning --keep-going --nitpicky --quiet docs docs/_build/html
	@echo "Open docs/_build/html/index.html"

test: setup test-oldest  ## run all tests, those marked `alone` last and one by one
	$(BIN)/pytest $(SIDE_BY_SIDE) -m "not alone"
	for example in $(EXAMPLES); do $(BIN)/pytest $(SIDE_BY_SIDE) $$example/tests || exit; done
	$(BIN)/pytest $(shell grep --recursive --files-with-matches 'mark.alone' tests --include='test_*.py') -m alone

test-fast: setup  ## run the tests of every package that take moments
	$(BIN)/pytest $(SIDE_BY_SIDE) -m "not slow and not alone and not ray"

test-oldest: setup
	$(OLDEST)/bin/pytest $(SIDE_BY_SIDE) -m "not ray" $(ON_OLDEST)

test-ray: setup  ## run what every engine must do, and what only Ray can, on a Ray cluster of three nodes
	$(BIN)/pytest -m ray

check: $(VENV)/.develop system-packages  ## look for mistakes; changes nothing
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/vendor.py --check
	$(BIN)/python tools/vendor.py --check --folder tests/ui/vendor
	@sh tools/check-deploy $(BIN)

fix: $(VENV)/.develop  ## mend what can be mended automatically
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

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

audit: $(AUDIT)/.installed  ## look for known vulnerabilities in the packages of the image; asks a service
	$(AUDIT)/bin/pip-audit --requirement $(LOCKED) --require-hashes --disable-pip --strict

bench: setup  ## measure this server beside others, some 3 minutes a round; ROUNDS=3
	$(BIN)/python -m benchmarks $(ROUNDS)

growth: setup $(VENV)/.bench  ## measure how costs grow, and draw the curves
	$(BIN)/python -m benchmarks.growth

soak: setup  ## mix predictions, uploads, trainings, kills and disconnects for MINUTES=10
	$(BIN)/python benchmarks/soak.py $(MINUTES)

vendor: $(VENV)/.develop  ## fetch the browser assets that the manifests name
	$(BIN)/python tools/vendor.py
	$(BIN)/python tools/vendor.py --folder tests/ui/vendor

screenshots: setup  ## write pictures of the page to docs/images
	$(BIN)/python tools/screenshots.py

clean:  ## remove the environments and caches
	rm -rf $(TYPESCRIPT)/node_modules $(VENV) $(OLDEST) $(AUDIT) .venv-bench .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache docs/_build
