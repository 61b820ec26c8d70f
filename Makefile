# `make demo` and `make test` do their own set-up; nothing has to be run before them.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
DEMO   ?= demo
# The report at the end says whether enough is covered.
MEASURED := --cov --cov-report= --cov-fail-under=0

.PHONY: demo test check install clean
.DELETE_ON_ERROR:

$(BIN)/.installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

install: $(BIN)/.installed

demo: install  ## a small two-stage sweep on generated ECG, end to end
	$(BIN)/ecgtune data synth dreamer --out $(DEMO)/DREAMER.mat --subjects 8 --minutes 6 --seed 0 --effect 0.5 --no-eeg --overwrite
	$(BIN)/ecgtune data prepare dreamer $(DEMO)/DREAMER.mat --out $(DEMO)/dreamer --overwrite
	$(BIN)/ecgtune sweep pretext --data $(DEMO)/dreamer --space smoke --results $(DEMO)/results --name demo-pretext --overwrite
	$(BIN)/ecgtune sweep emotion --data $(DEMO)/dreamer --pretext demo-pretext --results $(DEMO)/results --name demo-emotion --num-samples 12 --max-epochs 20 --overwrite
	$(BIN)/ecgtune evaluate demo-emotion --results $(DEMO)/results
	@echo "Now look at it:  $(BIN)/ecgtune dashboard --results $(DEMO)/results"

check: install  ## lint, types, import contract, quick tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	PYTHONPATH=. $(BIN)/lint-imports
	$(BIN)/python -m pytest -q -n auto -m "not slow and not ray"

test: install  ## everything, with coverage
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	PYTHONPATH=. $(BIN)/lint-imports
	$(BIN)/coverage erase
	$(BIN)/python -m pytest -q -n auto -m "not ray" --durations=15 $(MEASURED)
	@# Tests with clusters of their own mostly wait, so they run beside those that share one; told at the end.
	COVERAGE_FILE=.clusters-coverage $(BIN)/python -m pytest -q -m ray tests/cluster --durations=9 $(MEASURED) \
		> .clusters.log 2>&1 & clusters=$$!; trap "kill $$clusters; exit 130" INT TERM; \
	$(BIN)/python -m pytest -q -m ray --ignore=tests/cluster --durations=9 $(MEASURED) --cov-append; shared=$$?; \
	wait $$clusters; own=$$?; cat .clusters.log; exit $$((shared || own))
	$(BIN)/coverage combine -q --append .clusters-coverage
	$(BIN)/coverage report

clean:
	rm -rf $(VENV) $(DEMO) build dist .coverage* .clusters* .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
