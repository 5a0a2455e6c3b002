# make demo   the whole study on the embedded default, from clips to report
# make test   lint and tests
# make system the system packages (needs root, Debian or Ubuntu); both targets call it
# Each sets up everything that it needs, in .venv.

PYTHON ?= python3
VENV ?= .venv
CORES ?= $(shell nproc 2>/dev/null || echo 2)
BIN := $(VENV)/bin

# What the headless OpenCV, PyAV and matplotlib wheels need beyond a bare Debian. A lab computer
# (extra lab) also has a screen, OpenGL, PortAudio and JACK: make system LAB=1 (fonts of other
# scripts, and a screen and keys that need no hands, for the tests). The tests of the review page
# need a browser: make system BROWSER=1; those of the cluster start a SLURM of their own: make
# system SLURM=1.
SYSTEM_PACKAGES = libglib2.0-0 \
  $(if $(LAB),libgl1 libegl1 libportaudio2 libjack-jackd2-0 xvfb fonts-dejavu-core \
    fonts-wqy-microhei libxcb-cursor0 libxcb-icccm4 libxcb-image0 libxcb-keysyms1 \
    libxcb-render-util0 libxkbcommon-x11-0) \
  $(if $(BROWSER),chromium chromium-driver) \
  $(if $(SLURM),slurm-wlm munge)
# Everything but the laboratory's PsychoPy, and everything.
ENOUGH := $(VENV)/.installed
ALL := $(VENV)/.installed-all

.PHONY: demo test lint system clean

demo: system $(ENOUGH)
	$(BIN)/bodyscene run studies/demo.toml --cores $(CORES)

test: BROWSER = 1
test: LAB = 1
test: SLURM = 1
test: system $(ALL) lint
	$(BIN)/python -m pytest -n $(CORES) --dist worksteal

lint: $(ALL)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

$(ENOUGH): EXTRAS = models
$(ALL): EXTRAS = all,dev
$(ENOUGH) $(ALL): pyproject.toml constraints.txt
	@test -x $(BIN)/python || [ "$$(df -Pk . | awk 'NR == 2 {print $$4}')" -gt 9000000 ] || \
	  { echo "$(CURDIR): $(VENV) takes up to 8 GB, but the disk has less than 9 GB left" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable ".[$(EXTRAS)]" --constraint constraints.txt
	touch $@

# Asks for root only where a package is missing; says what to install where there is no apt.
system:
	@missing=""; for package in $(SYSTEM_PACKAGES); do \
	  dpkg -s $$package >/dev/null 2>&1 || missing="$$missing $$package"; done; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if ! command -v apt-get >/dev/null; then \
	  echo "Please install the equivalents of:$$missing" >&2; exit 0; fi; \
	sudo=""; [ "$$(id -u)" = 0 ] || sudo=sudo; \
	$$sudo apt-get update -q && \
	$$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $$missing

clean:
	rm -rf $(VENV) results
