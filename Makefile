PYTHON ?= python3
VENV ?= .venv
PY = $(VENV)/bin/python

.PHONY: demo test lint clean

# One environment for everything, made anew when what it must hold changes.
$(VENV)/installed: setup.py requirements.txt
	@$(PYTHON) -m venv $(VENV) || { echo "error: no virtual environment could be made; on Debian or Ubuntu: apt install python3-venv"; exit 2; }
	$(PY) -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/installed-test: $(VENV)/installed
	$(PY) -m pip install --quiet --disable-pip-version-check --editable ".[test]"
	@touch $@

demo: $(VENV)/installed
	$(PY) -m dcgan_tf.train --preset=quick

test: $(VENV)/installed-test
	$(PY) -m pytest -m "not long"

lint: $(VENV)/installed-test
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

clean:
	rm -rf $(VENV) build dist *.egg-info
