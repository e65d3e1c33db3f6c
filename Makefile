# Two commands set everything up: `make audit` and `make test`. Both need Python 3.11 and make only.
PYTHON ?= python3.11
VENV ?= .venv
OUT ?= out
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: audit test lint lock clean

audit: $(STAMP)  ## audit the bundled sample tracks
	$(BIN)/artifactnet audit samples/manifest.jsonl --output $(OUT) --overwrite

test: $(STAMP)  ## run the tests
	$(BIN)/pytest -n auto

lint: $(STAMP)  ## lint, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Everything is installed from uv.lock, with hashes; a second environment links from uv's cache.
$(STAMP): pyproject.toml uv.lock .ci/uv.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .ci/uv.txt
	$(BIN)/uv sync --frozen --inexact --python $(BIN)/python
	touch $@

lock:  ## after a change of dependencies in pyproject.toml
	$(BIN)/uv lock
	$(BIN)/uv export --quiet --no-dev --no-emit-project --format requirements-txt --output-file requirements.txt

clean:
	rm -rf $(VENV) $(OUT)
