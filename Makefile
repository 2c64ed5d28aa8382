# A thin front for Meson. The two commands of the README are `make demo` and
# `make test`; each installs what it needs (as root or through sudo) first.

BUILD   ?= build
ENGINE  ?= libtpms
RELEASE := $(BUILD)/release
FUZZING := $(BUILD)/fuzzing
PREFIX  ?= /usr/local
PRODUCTS := cvtpm lib/libcvtpm.a lib/libcvtpm-core.a
SECONDS ?= 600

.PHONY: all deps deps-web deps-guest deps-keylime deps-libvirt deps-clients deps-coverage demo test test-web test-guest test-libvirt test-clients test-suites test-keylime test-second-opinion test-differential coverage fuzz bench bench-guest install format clean help

all: $(RELEASE)/build.ninja
	@ninja -C $(RELEASE) --quiet $(PRODUCTS)

help:
	@echo "make demo     watch a confidential VM's TPM come to life and be attacked"
	@echo "make test     all default tests, with the address and undefined-behaviour sanitizers"
	@echo "make test-web the page of cvtpm verify --html in headless Chromium; leaves pictures"
	@echo "make test-guest  stock Linux guests under QEMU find the TPM, measure into it, quote; reset, save, migrate"
	@echo "make test-libvirt libvirt's domains with our swtpm: start, save, restore, reset, snapshot, secret (root)"
	@echo "make test-clients  the native engine under other people's stacks and programs: docs/clients.md (ENGINE=libtpms: that one)"
	@echo "make test-suites  the test suites of Go's TPM libraries on the native engine (network, Go; ENGINE=libtpms)"
	@echo "make test-keylime  a stock Keylime attests and refuses a machine whose TPM is cvtpm (in make test, too)"
	@echo "make test-second-opinion  compare cvtpm verify with verifiers of other people (network, Go, Rust)"
	@echo "make test-differential  a million commands on both engines, compared (SEED=1 COMMANDS=1000000)"
	@echo "make coverage which lines of the native engine its tests reach; fails below 95 percent"
	@echo "make all      build into $(RELEASE)"
	@echo "make install  install below PREFIX ($(PREFIX)); DESTDIR is honoured"
	@echo "make fuzz     long fuzzing: FUZZ=target SECONDS=600"
	@echo "make bench    measurements (docs/bench.md; FULL=1: more keys); bench-guest: a guest's commands through each door"
	@echo "make deps     install the packages that build and tests need (deps-web, deps-guest, deps-keylime: of one suite)"
	@echo "make format   format the sources with clang-format"

deps:
	@scripts/deps base
deps-web:
	@scripts/deps web
deps-guest:
	@scripts/deps guest
deps-libvirt:
	@scripts/deps base guest libvirt
deps-clients:
	@scripts/deps base clients
deps-keylime:
	@scripts/deps keylime
deps-coverage:
	@scripts/deps base coverage

# What people run, and what fuzzers run; the tests configure their own (scripts/test).
$(RELEASE)/build.ninja: | deps
	@scripts/configure $(RELEASE) --buildtype=debugoptimized --prefix=$(abspath $(PREFIX))
$(FUZZING)/build.ninja: | deps
	@CC=clang scripts/configure $(FUZZING) -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false

demo: deps $(RELEASE)/build.ninja
	@echo "building $(RELEASE)/cvtpm"
	@ninja -C $(RELEASE) --quiet cvtpm
	@scripts/demo $(RELEASE)/cvtpm $(ENGINE)

test: deps deps-guest deps-keylime
	@scripts/test $(BUILD)

# Sequences of commands on the native engine and on libtpms (docs/differences.md).
SEED     ?= 1
COMMANDS ?= 1000000
test-differential: deps $(RELEASE)/build.ninja
	@ninja -C $(RELEASE) --quiet tests/tpm/differential
	@$(RELEASE)/tests/tpm/differential --seed $(SEED) --commands $(COMMANDS)

# Lines of src/tpm that tests/tpm reaches; a build of its own.
coverage: deps-coverage
	@scripts/coverage $(BUILD)/coverage

# The page of `cvtpm verify --html` in a real browser.
test-web: deps-web all
	@scripts/test-web $(RELEASE)/cvtpm $(RELEASE)

# Debian's cloud kernel and initramfs of our own under QEMU; all of the guest tests (make test runs the quicker
# half), two at a time. ENGINE=NAME tests that engine.
test-guest: deps deps-guest $(RELEASE)/build.ninja
	@ninja -C $(RELEASE) --quiet cvtpm tests/guest/guest
	@scripts/guest-kernel build/guest
	@CVTPM=$(abspath $(RELEASE))/cvtpm CVTPM_GUEST_PROGRAM=$(abspath $(RELEASE))/tests/guest/guest \
	 CVTPM_GUEST=$(abspath build/guest) CVTPM_ENGINE=$(ENGINE) PYTHONDONTWRITEBYTECODE=1 \
	 /usr/bin/python3 -m pytest -q -rs -p no:cacheprovider -n 2 -c tests/guest/pytest.ini --durations=8 tests/guest

# An unmodified libvirt, with its own qemu.conf in a folder of the test's; nothing of the machine's is changed.
test-libvirt: deps-libvirt $(RELEASE)/build.ninja
	@ninja -C $(RELEASE) --quiet cvtpm tests/guest/guest
	@scripts/guest-kernel build/guest
	@CVTPM=$(abspath $(RELEASE))/cvtpm CVTPM_GUEST_PROGRAM=$(abspath $(RELEASE))/tests/guest/guest \
	 CVTPM_GUEST=$(abspath build/guest) PYTHONDONTWRITEBYTECODE=1 \
	 /usr/bin/python3 -m pytest -q -rs -p no:cacheprovider --durations=8 tests/libvirt

# Client stacks that are independent of each other, each computing sessions and policies for itself.
test-clients: ENGINE = native
test-clients: deps-clients $(RELEASE)/build.ninja
	@ninja -C $(RELEASE) --quiet cvtpm
	@CVTPM=$(abspath $(RELEASE))/cvtpm CVTPM_TEST_ENGINE=$(ENGINE) PYTHONDONTWRITEBYTECODE=1 \
	 /usr/bin/python3 -m pytest -q -rs -p no:cacheprovider --durations=8 tests/clients

# Test suites of other people's libraries, pinned by tests/suites/go.sum; what must fail is listed with its reason.
test-suites: ENGINE = native
test-suites: deps $(RELEASE)/build.ninja
	@ninja -C $(RELEASE) --quiet cvtpm
	@CVTPM=$(abspath $(RELEASE))/cvtpm CVTPM_TEST_ENGINE=$(ENGINE) PYTHONDONTWRITEBYTECODE=1 \
	 /usr/bin/python3 -m pytest -q -rs -p no:cacheprovider --durations=8 tests/suites

# KEYLIME_AGENT=PATH takes the Rust agent, KEYLIME_SCRIPT=/usr/bin/true shows that the script is what refuses.
test-keylime: deps deps-keylime all
	@CVTPM=$(abspath $(RELEASE))/cvtpm PYTHONDONTWRITEBYTECODE=1 \
	 /usr/bin/python3 -m pytest -q -rs -p no:cacheprovider --durations=8 tests/keylime/e2e

# FLIP=1 flips each bit of some reports instead.
test-second-opinion: deps $(RELEASE)/build.ninja
	@ninja -C $(RELEASE) --quiet cvtpm tests/second_opinion/lab_evidence tests/manufacture/make_certificates \
	 tests/svsm/svsm_evidence
	@CVTPM=$(RELEASE)/cvtpm CVTPM_LAB_EVIDENCE=$(RELEASE)/tests/second_opinion/lab_evidence \
	 CVTPM_MAKE_CERTIFICATES=$(RELEASE)/tests/manufacture/make_certificates \
	 CVTPM_SVSM_EVIDENCE=$(RELEASE)/tests/svsm/svsm_evidence PYTHONDONTWRITEBYTECODE=1 \
	 /usr/bin/python3 tests/second_opinion/second_opinion.py --others $(BUILD)/second-opinion $(if $(FLIP),--flip)

fuzz: deps $(FUZZING)/build.ninja
	@ninja -C $(FUZZING) --quiet
	@scripts/fuzz $(FUZZING) $(SECONDS) $(FUZZ)

bench: deps $(RELEASE)/build.ninja
	@ninja -C $(RELEASE) --quiet cvtpm bench/bench-verify bench/bench-doorbell bench/bench-engine
	@$(RELEASE)/bench/bench-engine --json $(RELEASE)/bench-engine.json $(if $(FULL),--full) $(RELEASE)/cvtpm
	@$(RELEASE)/bench/bench-doorbell $(RELEASE)/cvtpm
	@$(RELEASE)/bench/bench-verify tests/data
	@$(RELEASE)/bench/bench-verify --json tests/data >$(RELEASE)/bench-verify.json
	@echo "as JSON: $(RELEASE)/bench-engine.json, bench-verify.json; how to read it: docs/bench.md"

# ENGINE=NAME measures that engine.
bench-guest: deps deps-guest $(RELEASE)/build.ninja
	@ninja -C $(RELEASE) --quiet cvtpm tests/guest/guest
	@scripts/guest-kernel build/guest
	@CVTPM=$(abspath $(RELEASE))/cvtpm CVTPM_GUEST_PROGRAM=$(abspath $(RELEASE))/tests/guest/guest \
	 CVTPM_GUEST=$(abspath build/guest) PYTHONDONTWRITEBYTECODE=1 \
	 bench/guest.py --engine $(ENGINE) --json $(RELEASE)/bench-guest.json
	@echo "as JSON: $(RELEASE)/bench-guest.json; how to read it: docs/bench.md"

install: all
	@meson install -C $(RELEASE) --no-rebuild

format:
	@git ls-files '*.c' '*.h' | grep -v '^src/crypto/shim/' | xargs clang-format -i

clean:
	@rm -rf $(RELEASE) $(FUZZING) $(BUILD)/checked $(BUILD)/packaged $(BUILD)/coverage
