PYTHON ?= python3
VENV ?= .venv
PY = $(VENV)/bin/python

.PHONY: demo test test-slow test-all lint types bench clean

# One environment for everything, made anew when its requirements change.
$(VENV)/installed: pyproject.toml requirements.txt
	@$(PYTHON) -m venv $(VENV) || { echo "error: no virtual environment could be made; on Debian or Ubuntu: apt install python3-venv"; exit 2; }
	$(PY) -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/installed-test: $(VENV)/installed
	$(PY) -m pip install --quiet --disable-pip-version-check --editable ".[test]"
	@touch $@

demo: $(VENV)/installed
	$(PY) -m dcgan_tf.train --preset=quick

# The fast tests: minutes on two cores.
test: $(VENV)/installed-test
	$(PY) -m pytest -n 2 --dist worksteal -m "not (slow or e2e or studies or browser or faults or long)"

# The others: tests of more than ten seconds, commands in processes of their own, studies, the report in a browser, faults.
test-slow: $(VENV)/installed-test
	$(PY) -m pytest -m "(slow or e2e or studies or browser or faults) and not long"

test-all: test test-slow

lint: $(VENV)/installed-test
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

types: $(VENV)/installed-test
	$(PY) -m mypy

bench: $(VENV)/installed-test
	$(PY) -m experiments.performance.step

clean:
	rm -rf $(VENV) build dist *.egg-info
