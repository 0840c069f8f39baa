# Duet's commands. The first call of one sets up what it needs (Python 3.11–3.13 and the network), later ones reuse it.
#
#   make run ARGS="--server.port 8600"
#   make test ARGS="tests/test_config.py -x"
#   make run PYTHON=/opt/python/bin/python3.12

VENV ?= .venv
PYTHON ?=
ARGS ?=

# 3.11 first: the pinned versions were tested with it.
CANDIDATES := $(or $(PYTHON),python3.11 python3.12 python3.13 python3 python)
SUITABLE := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))

VENV_PYTHON := $(VENV)/bin/python
# In an environment that make has made, so that nobody else's is ever removed.
MADE := $(VENV)/.made-by-duet
# A stamp carries the checksum of what was installed, so a changed requirement installs anew.
checksum = $(shell cat $(1) | cksum | tr ' ' '-')
RUN_STAMP := $(VENV)/.installed-run-$(call checksum,requirements.txt)
DEV_STAMP := $(VENV)/.installed-dev-$(call checksum,requirements.txt requirements-dev.txt)

.PHONY: help run test test-all test-exhaustive lint pictures clean FORCE
.DEFAULT_GOAL := help

help: ## Say what there is
	@echo "Duet's commands:"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{ printf "%-17s%s\n", $$1, $$2 }'

run: $(RUN_STAMP) ## Serve the dashboard
	@$(VENV_PYTHON) -m streamlit run dashboard.py $(ARGS)

# A file's tests stay together, as they share what is trained for them. In the files' own order the journeys, few
# and long, do not come last, where one process would wait for the other.
PYTEST := $(VENV_PYTHON) -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

test: $(DEV_STAMP) ## Run the tests of a change, some minutes; the journeys need Chromium
	@$(PYTEST) -m "not slow and not exhaustive" $(ARGS)

test-all: $(DEV_STAMP) ## Run every test, the long journeys and the fault suite among them
	@$(PYTEST) -m "not exhaustive" $(ARGS)

test-exhaustive: $(DEV_STAMP) ## Try by the thousand what other tests try a few times: half an hour and more
	@$(PYTEST) -m exhaustive $(ARGS)

lint: $(DEV_STAMP) ## Check style, formatting and types
	@$(VENV_PYTHON) -m ruff check .
	@$(VENV_PYTHON) -m ruff format --check .
	@$(VENV_PYTHON) -m mypy core ui pages

pictures: $(DEV_STAMP) ## Take the README's pictures anew; needs Chromium
	@$(VENV_PYTHON) -m tests.browser.pictures

clean: ## Remove the environment and the caches, never your runs
	@if [ -e $(MADE) ]; then $(empty_environment) && rm -rf $(VENV); fi
	@find core pages tests ui benchmarks -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true
	@rm -rf __pycache__ .pytest_cache .ruff_cache .hypothesis

# An environment whose Python is gone, or that was never finished, is made anew in spite of its stamps.
ifneq ($(shell $(VENV_PYTHON) -c 'import pip; print("works")' 2>/dev/null),works)
$(RUN_STAMP) $(DEV_STAMP): FORCE
endif

$(RUN_STAMP):
	@$(make_environment)
	@echo "Installing what runs Duet into $(VENV): once, some minutes."
	@$(VENV_PYTHON) -m pip install --disable-pip-version-check -r requirements.txt
	@rm -f $(VENV)/.installed-* && touch $(RUN_STAMP)

$(DEV_STAMP):
	@$(make_environment)
	@echo "Installing what runs and tests Duet into $(VENV): once, some minutes."
	@$(VENV_PYTHON) -m pip install --disable-pip-version-check -r requirements-dev.txt
	@rm -f $(VENV)/.installed-* && touch $(RUN_STAMP) $(DEV_STAMP)

# The mark stays till last, so that a removal that is cut off can be taken up again.
empty_environment = find $(VENV) -mindepth 1 -maxdepth 1 ! -path $(MADE) -exec rm -rf {} +

# Reuse an environment that works; else choose a Python by running it (a version manager's python3.12
# may stand on the path and refuse) and make one.
define make_environment
set -e; \
if $(VENV_PYTHON) -c 'import pip; $(SUITABLE)' 2>/dev/null; then exit 0; fi; \
if [ -e $(VENV) ] && [ ! -e $(MADE) ]; then \
  echo "Duet: $(VENV) is there, but is no working environment of Python 3.11 to 3.13 with pip." \
    "It was not made by make, so please move it away, then try again." >&2; exit 1; \
fi; \
python=; without_venv=; \
for candidate in $(CANDIDATES); do \
  "$$candidate" -c '$(SUITABLE)' 2>/dev/null || continue; \
  if "$$candidate" -c 'import venv, ensurepip' 2>/dev/null; then python=$$candidate; break; fi; \
  without_venv=$$candidate; \
done; \
if [ -z "$$python" ] && [ -n "$$without_venv" ]; then \
  echo "Duet: $$without_venv lacks the modules venv and ensurepip." \
    "Install them (on Debian and Ubuntu: apt-get install python3-venv), then try again." >&2; exit 1; \
fi; \
if [ -z "$$python" ]; then \
  echo "Duet needs Python 3.11, 3.12 or 3.13, and none of these is one that runs: $(CANDIDATES)." \
    "Install one, or name it: make PYTHON=/path/to/python3.12" >&2; exit 1; \
fi; \
echo "Making the environment $(VENV) with $$("$$python" --version)."; \
mkdir -p $(VENV) && touch $(MADE) && $(empty_environment); \
"$$python" -m venv $(VENV)
endef
