# A thin front for Meson. The two commands of the README are `make demo` and
# `make test`; each installs what it needs (as root or through sudo) first.

BUILD   ?= build
ENGINE  ?= libtpms
RELEASE := $(BUILD)/release
CHECKED := $(BUILD)/checked
FUZZING := $(BUILD)/fuzzing
PREFIX  ?= /usr/local
SECONDS ?= 600

.PHONY: all deps deps-web deps-guest demo test fuzz bench install format clean help

all: $(RELEASE)/build.ninja
	@ninja -C $(RELEASE)

help:
	@echo "make demo     watch a confidential VM's TPM come to life and be attacked"
	@echo "make test     all default tests, with the address and undefined-behaviour sanitizers"
	@echo "make all      build into $(RELEASE)"
	@echo "make install  install below PREFIX ($(PREFIX)); DESTDIR is honoured"
	@echo "make fuzz     long fuzzing: FUZZ=target SECONDS=600"
	@echo "make bench    measurements against other TPMs"
	@echo "make deps     install the packages that build and tests need (deps-web, deps-guest: later suites)"
	@echo "make format   format the sources with clang-format"

deps:
	@scripts/deps base
deps-web:
	@scripts/deps web
deps-guest:
	@scripts/deps guest

# -O2 for people; the sanitizers and all assertions for the tests.
$(RELEASE)/build.ninja: | deps
	@meson setup $(RELEASE) --buildtype=debugoptimized --prefix=$(abspath $(PREFIX))
$(CHECKED)/build.ninja: | deps
	@meson setup $(CHECKED) -Db_sanitize=address,undefined -Db_lundef=false
$(FUZZING)/build.ninja: | deps
	@CC=clang meson setup $(FUZZING) -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false

demo: deps $(RELEASE)/build.ninja
	@ninja -C $(RELEASE) --quiet
	@scripts/demo $(RELEASE)/cvtpm $(ENGINE)

test: deps
	@scripts/test $(BUILD)

fuzz: deps $(FUZZING)/build.ninja
	@ninja -C $(FUZZING) --quiet
	@scripts/fuzz $(FUZZING) $(SECONDS) $(FUZZ)

bench:
	@echo "bench: nothing to measure yet: the libtpms engine is what the others use too"

install: all
	@meson install -C $(RELEASE) --no-rebuild

format:
	@git ls-files '*.c' '*.h' | grep -v '^src/crypto/shim/' | xargs clang-format -i

clean:
	@rm -rf $(RELEASE) $(CHECKED) $(FUZZING)
