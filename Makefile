# The commands of this repository; `make` alone lists them.
# One profile (release) serves build, demo, lint, test and bench, so that the C and C++ libraries compile once.

BUILD_NEEDS := cmake nasm perl pkg-config gcc g++ libc6-dev libdav1d-dev libssl-dev libvpx-dev protobuf-compiler
TEST_NEEDS := ffmpeg nginx-light chromium chromium-driver curl faketime mesa-vulkan-drivers fonts-noto-core fonts-droid-fallback fonts-noto-color-emoji python3-pip python3-cryptography \
	etcd-server firefox-esr gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-nice gir1.2-gst-plugins-bad-1.0 python3-gi pebble

CARGO ?= cargo
# Of cargo-deny: another version may judge otherwise.
DENY := 0.20.2
comma := ,
# Property tests are repeatable; another seed looks elsewhere: make test PROPTEST_RNG_SEED=2
export PROPTEST_RNG_SEED ?= 1
# Flags of `tessera demo`: make demo ARGS="--participants 4 --duration 2m"
ARGS ?=

# A demo is built without what it does not use: rav1e, etcd, and where no GPU shows what draws on one. Together a fifth of the build.
GPU := $(if $(wildcard /dev/dri/renderD* /dev/nvidia0 /dev/dxg),$(comma)gpu)
DEMO_FEATURES := --no-default-features --features node,dav1d,h264,vpx$(GPU)

.DEFAULT_GOAL := help
.PHONY: help setup setup-build build demo serve test bench fuzz soak lint purity audit sbom

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: setup-build ## Install what building and testing need (Debian packages)
	@.ci/need $(TEST_NEEDS)

setup-build:
	@command -v $(CARGO) >/dev/null || { echo "Rust 1.95 or newer is needed: install it with rustup, then try again." >&2; exit 1; }
	@.ci/need $(BUILD_NEEDS)

build: setup-build ## Build target/release/tessera
	@.ci/pages --carried
	$(CARGO) build --release --locked

demo: setup-build ## Run a node with simulated people in it: picture, sound, recording, and a table at the end
	@.ci/pages --carried
	$(CARGO) build --release --locked $(DEMO_FEATURES)
	$(CARGO) run --quiet --release --locked $(DEMO_FEATURES) -- demo $(ARGS)

serve: setup-build ## Run a node; open http://localhost:8080
	@.ci/pages --carried
	$(CARGO) build --release --locked
	$(CARGO) run --quiet --release --locked -- serve $(ARGS)

test: setup ## Run every test; lint and the purity of the lower floors first
	@.ci/pages
	@.ci/beside ".ci/seaweedfs && .ci/clients && .ci/kube" $(MAKE) --no-print-directory lint purity
	$(CARGO) test --release --locked $(UNIT) --lib
	$(CARGO) test --release --locked --bins
	@CARGO=$(CARGO) .ci/suite

bench: setup-build ## Run every bench; docs/benchmarks.md says what the figures mean
	$(CARGO) bench --locked

# Unit tests of the program, hardly optimised, are built in half the time and run as fast as most need: none judges speed.
UNIT := $(foreach key,opt-level=1 codegen-units=64 debug=0,--config profile.release.package.tessera.$(key))

# Nothing optimised, sums that overflow and debug assertions stop it. The rest of the program is checked nowhere like that.
CHECKED := $(foreach key,opt-level=0 codegen-units=64 overflow-checks=true debug-assertions=true,--config profile.release.package.tessera.$(key))

fuzz: setup-build ## A million hostile datagrams, offers and messages; random senders and recordings, a minute each; all unit tests with checked sums
	$(CARGO) test --release --locked $(CHECKED) --lib
	TESSERA_FUZZ_ROUNDS=1000000 $(CARGO) test --release --locked --lib hostile_ -- --nocapture --test-threads=1
	TESSERA_FUZZ_SECONDS=60 $(CARGO) test --release --locked --lib random_senders -- --nocapture
	TESSERA_FUZZ_SECONDS=60 $(CARGO) test --release --locked --test tests random_recordings -- --nocapture

soak: setup ## The long forms: 200 recordings killed at any step, ten minutes without a store or etcd, overload, a minute of joins and of pushes
	TESSERA_KILL_ROUNDS=200 $(CARGO) test --release --locked --test tests retention::steps -- --test-threads=1 --nocapture
	TESSERA_LONG=1 $(CARGO) test --release --locked --test tests while_the_store_is_down -- --test-threads=1 --nocapture
	TESSERA_LONG=1 $(CARGO) test --release --locked --test tests no_call_is_cut_by_etcd -- --test-threads=1 --nocapture
	TESSERA_LONG=1 $(CARGO) test --release --locked --test tests a_compiler_beside_a_call -- --ignored --test-threads=1 --nocapture
	TESSERA_CHURN_SECONDS=60 $(CARGO) test --release --locked --test tests who_come_and_go -- --test-threads=1 --nocapture
	TESSERA_LONG=1 $(CARGO) test --release --locked --test tests nobody_is_disconnected_while_nodes -- --test-threads=1 --nocapture
	TESSERA_PUSH_SECONDS=60 $(CARGO) test --release --locked --test tests servers_of_rtmp_and_srt -- --nocapture
	$(CARGO) test --release --locked --test tests the_guide_leads -- --ignored --nocapture

lint: setup-build ## Check format, clippy, documentation and the pages' types; warnings are errors
	@.ci/pages --types
	$(CARGO) fmt --check
	$(CARGO) clippy --release --locked --all-targets -- -D warnings
	$(CARGO) clippy --release --locked --no-default-features --features node,dav1d,h264,vpx -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --release --locked --no-deps --document-private-items

purity: setup-build ## Build floors 1 and 2 alone, and compare what comes along with .ci/purity.txt
	@.ci/purity

audit: setup-build ## Check dependencies' licences, sources, bans and known vulnerabilities; installs cargo-deny if need be
	@$(CARGO) deny --version 2>/dev/null | grep -qxF 'cargo-deny $(DENY)' || $(CARGO) install cargo-deny --version $(DENY) --locked
	$(CARGO) deny --locked check bans licenses sources
	@if $(CARGO) deny --locked fetch db; then $(CARGO) deny --locked --offline check advisories; \
	else echo "The advisories' database cannot be reached from here: known vulnerabilities were not looked for." >&2; fi

sbom: build ## Write target/tessera.cdx.json: all that is in the program, as CycloneDX
	@.ci/sbom >target/tessera.cdx.json
	@echo "target/tessera.cdx.json"
