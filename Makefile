# hlscam: `make run` shows it, `make test` proves it. `make help` lists the rest.
#
# Everything is installed into .venv and web/node_modules, from lock files; nothing else on the machine is touched,
# but for Debian packages that tests need (make test, as root).

PYTHON ?= python3
PORT   ?= 8080
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/pip install --quiet --disable-pip-version-check --require-hashes
PAGE   := hlscam/server/page/index.html
PAGE_SOURCES := $(shell find web -path web/node_modules -prune -o -type f -print 2>/dev/null)

.DEFAULT_GOAL := help
.PHONY: help run setup setup-test test chaos lint format bench page wheel lock clean

help: ## Say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: setup ## Run the demo: two cameras of our own, on a page (PORT=8080)
	@$(BIN)/hlscam run --demo --port $(PORT)

setup: $(VENV)/run.installed $(PAGE) ## Prepare everything that `hlscam` needs

test: setup setup-test ## Run every test, installing what tests need
	@deploy/with-node.sh npm --prefix web run test
	@$(BIN)/python -m pytest

chaos: setup setup-test ## Do harm for an hour, and see that nothing is lost (SEED=, FAULTS=100)
	@SEED=$(SEED) FAULTS=$(FAULTS) $(BIN)/python -m tests.chaos

lint: setup-test web/node_modules/.installed ## Check style and types, of Python and TypeScript
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@deploy/with-node.sh npm --prefix web run lint

format: setup-test ## Format the Python code
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: setup setup-test ## Measure: latency, load, write amplification, CPU per camera, long playlists
	@$(BIN)/python -m tests.bench

page: $(PAGE) ## Build the web page into the package

wheel: setup-test $(PAGE) ## Build a wheel that holds the page, into dist/
	@$(BIN)/python -m hatchling build -t wheel

lock: $(VENV)/run.installed ## Renew the Python lock files from pyproject.toml
	@deploy/lock.sh

clean: ## Remove what was built; recordings stay
	rm -rf $(VENV) build dist web/node_modules tests/rig/node_modules hlscam/server/page

$(VENV)/bin/pip:
	@PYTHON="$(PYTHON)" deploy/make-venv.sh $(VENV)

$(VENV)/run.installed: requirements/run.txt pyproject.toml | $(VENV)/bin/pip
	@echo "installing hlscam into $(VENV) ..."
	@$(PIP) -r requirements/run.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev.installed: requirements/dev.txt $(VENV)/run.installed
	@echo "installing what tests need into $(VENV) ..."
	@$(PIP) -r requirements/dev.txt
	@touch $@

setup-test: $(VENV)/dev.installed
	@deploy/with-node.sh sh tests/rig/prepare.sh

web/node_modules/.installed: web/package-lock.json | $(VENV)/bin/pip
	@echo "installing what the page is built with ..."
	@deploy/with-node.sh npm --prefix web ci --no-audit --no-fund --loglevel=error
	@touch $@

$(PAGE): web/node_modules/.installed $(PAGE_SOURCES)
	@echo "building the page ..."
	@deploy/with-node.sh npm --prefix web run build --silent -- --logLevel warn
	@touch $@
