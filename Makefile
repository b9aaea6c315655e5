# make run    build everything and start the window      make test   all tests
# make check  formatting and lints                       make bench  measurements
#
# Each installs what it needs on Debian and Ubuntu, and says what is needed elsewhere.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:

# rustup's usual place, for shells that were open before it was installed.
export PATH := $(HOME)/.cargo/bin:$(PATH)
TARGET := $(or $(CARGO_TARGET_DIR),target)
# Always the whole workspace: one set of features, so that nothing is compiled twice.
CARGO_FLAGS := --workspace --locked

UI_DIST := ui/dist/index.html
UI_PACKAGES := ui/node_modules/.package-lock.json
UI_SOURCES := $(shell find ui/src ui/public -type f 2>/dev/null) \
	$(wildcard ui/*.html ui/*.js ui/*.ts ui/*.json)

.PHONY: help
help: ## Show what there is to make
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

.PHONY: run
run: build ## Set up, build and start the window
	@scripts/run.sh $(TARGET)/release/dsg-desktop $(TARGET)/release/dsg

.PHONY: build
build: setup-build $(UI_DIST) agent ## Set up and build the window, the command line and the agent
	cargo build --release $(CARGO_FLAGS)

# The agent for hosts like this computer: static, so that it runs there whatever their libraries are.
# It has a folder of its own (--target), so that its flags compile nothing else anew.
MACHINE := $(shell uname -m)
TRIPLE := $(MACHINE)-unknown-linux-gnu
AGENT := $(TARGET)/release/agents/dsg-agent-linux-$(MACHINE)
.PHONY: agent
agent: setup-build
	RUSTFLAGS="-C target-feature=+crt-static" \
		cargo build --release --locked --package dsg-host --bin dsg-agent --target $(TRIPLE)
	@mkdir -p $(dir $(AGENT))
	@install -m 755 $(TARGET)/$(TRIPLE)/release/dsg-agent $(AGENT)

.PHONY: test
test: setup-test $(UI_DIST) test-ui test-rust ## Set up and run all tests

.PHONY: test-ui
test-ui: check-ui
	npm --prefix ui test

# Hosts with OpenZFS in virtual machines: ready ones if DSG_ZFS_VM names a folder of them, else built
# once, by root. Where their processors are emulated, their tests take long: make test runs a part.
ZFS_VM := openzfs-2.1 openzfs-2.3
.PHONY: zfs-vm
zfs-vm: ## Build the hosts with OpenZFS that the tests boot (as root, 20 minutes, once)
	@for version in $(ZFS_VM); do \
		if [ ! -e "$${DSG_ZFS_VM:-target/zfs-vm}/$$version/rootfs.sqfs" ]; then \
			tests/hosts/zfs-vm/build $$version target/zfs-vm/$$version; \
		fi; \
	done

.PHONY: test-zfs
test-zfs: setup-zfs zfs-vm ## Run all tests on ZFS, of which make test runs a part
	DSG_ZFS_ALL=1 DSG_ZFS_VM="$${DSG_ZFS_VM:-$(CURDIR)/target/zfs-vm}" \
		cargo test $(CARGO_FLAGS) --test zfs --test on_zfs -- --nocapture
	for version in 2.1 2.3; do \
		DSG_ZFS_VERSION=$$version DSG_ZFS_ALL=1 DSG_ZFS_VM="$${DSG_ZFS_VM:-$(CURDIR)/target/zfs-vm}" \
			cargo test --package dsg-cli --locked --test scenarios_on_zfs; \
	done

# A sample of it is in test-zfs.
.PHONY: crash-matrix
crash-matrix: setup-zfs zfs-vm ## On ZFS: the agent dies, or the host's power goes, after every call (an hour)
	DSG_CRASH_MATRIX=1 DSG_ZFS_ALL=1 DSG_ZFS_VM="$${DSG_ZFS_VM:-$(CURDIR)/target/zfs-vm}" \
		cargo test --package dsg-cli --locked --test on_zfs -- --nocapture dies_anywhere power_cut

# The window's tests need a screen; the others do not mind one.
.PHONY: test-rust
test-rust: $(UI_DIST)
	DSG_ZFS_VM="$$(scripts/zfs-vm.sh)" scripts/screen.sh cargo test $(CARGO_FLAGS)

.PHONY: check
check: setup-build $(UI_DIST) check-ui check-rust check-bindings ## Formatting, lints, types, drift

.PHONY: check-ui
check-ui: $(UI_PACKAGES)
	npm --prefix ui run check

.PHONY: check-rust
check-rust: $(UI_DIST)
	cargo fmt --all --check
	cargo clippy $(CARGO_FLAGS) --all-targets -- -D warnings

.PHONY: check-bindings
check-bindings: $(UI_DIST)
	cargo test $(CARGO_FLAGS) --lib --quiet bindings::

.PHONY: bindings
bindings: setup-build $(UI_DIST) ## Write ui/src/lib/bindings anew from the Rust declarations
	DSG_WRITE_BINDINGS=1 cargo test $(CARGO_FLAGS) --lib --quiet bindings::

.PHONY: format
format: setup-build $(UI_PACKAGES) ## Format all sources
	cargo fmt --all
	npm --prefix ui run format

.PHONY: screenshots
screenshots: setup-test $(UI_DIST) ## Draw the pictures of docs/ anew: every screen, light and dark
	npm --prefix ui run screenshots
	DSG_WRITE_PICTURES=1 scripts/screen.sh \
		cargo test $(CARGO_FLAGS) --test window -- \
		newcomer::a_newcomer_with_a_mouse work::a_repository_that_went_away
	cd docs/pictures && mogrify -format webp +dither -colors 96 -define webp:lossless=true *.png && rm *.png

.PHONY: bench bench-large bench-window
bench: setup-bench ## Measure, against other programs on this machine
	cargo build --release $(CARGO_FLAGS) --bin dsg
	cargo bench $(CARGO_FLAGS) --bench compare
bench-large: export BENCH_LARGE := 1
bench-large: bench ## The same, and 1,000,000 files (20 GiB for a while)
bench-window: setup-test $(UI_DIST) ## Measure the window, on a screen of its own
	cargo bench $(CARGO_FLAGS) --bench window

.PHONY: clean
clean: ## Remove everything that was built
	rm -rf target gen ui/dist ui/node_modules

.PHONY: setup-build setup-test setup-zfs setup-bench
setup-build:
	@scripts/setup.sh build
setup-test:
	@scripts/setup.sh build test
setup-zfs:
	@scripts/setup.sh build test zfs
setup-bench:
	@scripts/setup.sh build bench

# The window embeds the built user interface, so that comes before any cargo command.
$(UI_PACKAGES): ui/package-lock.json | setup-build
	npm --prefix ui ci --no-fund --no-audit
	@touch $@

$(UI_DIST): $(UI_PACKAGES) $(UI_SOURCES)
	npm --prefix ui run build
	@touch $@
