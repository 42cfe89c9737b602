PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test test-slow golden docs lint setup clean

setup: $(VENV)/.installed

# The locks are exported by: uv lock && uv export --no-emit-project --all-extras -o requirements.lock
# and: uv export --only-group docs -o docs/requirements.lock
$(VENV)/.installed: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("toch_jax needs Python 3.11 or newer, found " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --python $(BIN)/python --require-hashes --requirement requirements.lock
	$(BIN)/uv pip install --python $(BIN)/python --no-deps --editable .
	touch $@

demo: setup
	$(BIN)/toch demo

test: setup
	$(BIN)/python -m pytest -m "not slow" -n 2 --dist loadfile --no-loadscope-reorder

test-slow: setup
	$(BIN)/python -m pytest -m slow

# Needs `toch prepare myodm` and `toch prepare open_grasps`
golden: setup
	$(BIN)/python scripts/golden.py

docs: setup
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --requirement docs/requirements.lock
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV) build dist *.egg-info
