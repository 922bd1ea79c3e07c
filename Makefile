# make demo: the main job.  make lint, make docs, make test: what CI runs.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo test lint docs reference pictures format clean

demo: $(VENV)/usmt.installed
	$(BIN)/usmt train --group ob

test: $(VENV)/tools.installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

lint: $(VENV)/tools.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/docs.installed
	$(BIN)/sphinx-build --fail-on-warning --keep-going --quiet -b html docs build/docs
	@echo build/docs/index.html

# The pages of docs/reference that are made from the code.
reference: $(VENV)/usmt.installed
	for script in docs/write_*.py; do $(BIN)/python $$script || exit 1; done

# All of docs/images: trains small networks, about ten minutes on two cores.
pictures: $(VENV)/usmt.installed
	$(BIN)/python docs/draw_pictures.py

format: $(VENV)/tools.installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/usmt.installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install -e .
	touch $@

$(VENV)/tools.installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install -e '.[test,lint]'
	touch $@

$(VENV)/docs.installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install -e '.[docs]'
	touch $@

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
