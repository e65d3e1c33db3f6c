# Two commands set everything up: `make audit` and `make test`. Both need Python 3.11 and make only.
PYTHON ?= python3.11
VENV ?= .venv
OUT ?= out
# TORCH=cpu installs the CPU build of torch from the index below in place of the CUDA build.
TORCH ?= cuda
TORCH_CPU_INDEX ?= https://download.pytorch.org/whl/cpu
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
export UV_PROJECT_ENVIRONMENT := $(abspath $(VENV))

.PHONY: audit test test-slow test-all lint prism flink engines lock clean

audit: $(STAMP)  ## audit the bundled sample tracks
	$(BIN)/artifactnet audit samples/manifest.jsonl --output $(OUT) --overwrite

test: $(STAMP)  ## run the tests that take seconds
	$(BIN)/pytest -n auto -m "not slow and not engine"

test-slow: $(STAMP)  ## and the others: trainings, kills, emulators
	$(BIN)/pytest -n auto -m "slow or engine"

test-all: $(STAMP)  ## both in one go, as .ci/run does
	$(BIN)/pytest -n auto

lint: $(STAMP)  ## lint, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

prism: .prism/prism  ## build Beam's portable local runner (needs Go)
.prism/prism:
	GOBIN=$(abspath .prism) go install github.com/apache/beam/sdks/v2/go/cmd/prism@v2.77.0

FLINK_FLAGS = --runner PortableRunner --job_endpoint localhost:8099 --parallelism 2 \
	--environment_type EXTERNAL --environment_config localhost:50000 --environment_cache_millis 60000
flink: $(STAMP)  ## audit the sample tracks on a Flink session cluster (needs Java 17 and Maven)
	VENV=$(VENV) templates/flink/cluster.sh start
	$(BIN)/artifactnet audit samples/manifest.jsonl --output $(OUT)-flink --overwrite $(FLINK_FLAGS); \
	  code=$$?; VENV=$(VENV) templates/flink/cluster.sh stop; exit $$code

engines: $(STAMP)  ## the sample tracks on every engine that is here: the same scores
	PATH=$(abspath $(BIN)):$$PATH VENV=$(VENV) $(BIN)/python benchmarks/engines.py

# Everything is installed from uv.lock, with hashes; a second environment links from uv's cache.
CUDA_PACKAGES = $(shell sed -nE 's/^name = "(torch|triton|cuda-.*|nvidia-.*)"$$/\1/p' uv.lock)
TORCH_VERSION = $(shell sed -n '/^name = "torch"$$/{n;s/^version = "\(.*\)"$$/\1/p;}' uv.lock)
$(STAMP): pyproject.toml uv.lock .ci/uv.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing the locked packages: a minute, and 5 GB with the CUDA build of torch ..."
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .ci/uv.txt
ifeq ($(TORCH),cpu)
	@$(BIN)/uv sync --quiet --frozen --inexact --extra all $(addprefix --no-install-package ,$(CUDA_PACKAGES))
	@$(BIN)/uv pip install --python $(BIN)/python --index-url $(TORCH_CPU_INDEX) --no-deps torch==$(TORCH_VERSION)
else
	@$(BIN)/uv sync --quiet --frozen --inexact --extra all
endif
	@touch $@

lock:  ## after a change of dependencies in pyproject.toml
	$(BIN)/uv lock
	$(BIN)/uv export --quiet --no-dev --all-extras --no-emit-project --format requirements-txt --output-file requirements.txt

clean:
	rm -rf $(VENV) $(OUT) $(OUT)-flink .flink .prism
