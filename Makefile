# Two commands do everything: `make demo` and `make test`.
VENV ?= .venv
PYTHON ?= python3
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check -q

.PHONY: demo test lint bench pictures clean install-nano install-test

demo: install-nano
	$(PY) examples/demo.py --out demo_output

test: install-test lint
	OMP_NUM_THREADS=1 $(PY) -m pytest -n auto --dist loadfile

lint:
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy -p visionrouter
	$(VENV)/bin/lint-imports

# Draws the pictures of the documentation anew.
pictures: demo
	mkdir -p docs/pictures
	cp demo_output/contact_sheet.png docs/pictures/demo.png
	$(PY) -m visionrouter.benchmarks.scenes.sheet --out docs/pictures/scenes.jpg

bench: install-test
	$(PY) -m visionrouter.benchmarks.overhead

$(PY):
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --upgrade pip

install-nano: $(PY)
	$(PIP) install -e '.[nano]' -C editable_mode=strict

install-test: $(PY)
	$(PIP) install -e '.[test]' -C editable_mode=strict

clean:
	rm -rf $(VENV) build *.egg-info demo_output
