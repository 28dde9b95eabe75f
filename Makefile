# Vestibule: what people do with a checkout. `make help` lists it.
# Prerequisites: Rust (stable) and Node 20 or newer. `make test` installs the rest, or says how.

SHELL := /bin/bash
.DEFAULT_GOAL := help
CARGO_TARGET_DIR ?= $(CURDIR)/target
export CARGO_TARGET_DIR
BINARY := $(CARGO_TARGET_DIR)/release/vestibule
# What `make run` serves: built in half the time, and fast enough to try things out (see Cargo.toml).
QUICK_BINARY := $(CARGO_TARGET_DIR)/quick/vestibule
ADDRESS ?= 127.0.0.1:8000

.PHONY: help run build web test test-deps test-rust test-web test-conformance test-history history test-e2e test-cases lint lint-rust lint-web doc deny fuzz bench bench-smoke bench-web fmt clean

help: ## Lists the targets
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## Builds everything quickly and serves the demo page on port 8000
	@echo "1/3  the element (web/)"
	@$(MAKE) --no-print-directory web
	@echo "2/3  the server: the first time some minutes, about five on two cores; then only what changed"
	cargo build --profile quick --locked --package cli
	@echo "3/3  starting it; Ctrl+C stops it"
	$(QUICK_BINARY) serve --dev --listen $(ADDRESS)

build: web ## Builds target/release/vestibule, the fastest and smallest binary, the element inside it
	cargo build --release --locked --package cli
	@mkdir -p target/release
	@[ "$(CARGO_TARGET_DIR)" = "$(CURDIR)/target" ] || install -m 755 $(BINARY) target/release/vestibule

web: web/node_modules/.package-lock.json ## Builds the element into web/dist
	npm --prefix web run --silent build

%/node_modules/.package-lock.json: %/package-lock.json
	npm --prefix $* ci --no-audit --no-fund
	@touch $@

test: test-deps test-rust test-web test-conformance test-history test-e2e ## Runs every test against real services

test-deps: ## Installs what the tests need (Debian packages when root)
	scripts/test-deps

test-rust: web
	. scripts/test-env && scripts/cargo-test

test-web: web ## The element: units, then Chromium (CHROMIUM names another path than /usr/bin/chromium)
	npm --prefix web test
	npm --prefix web run test:browser

# For the whole workspace, so that what the other tests have built is used again; the seed program is built along.
CONFORMANCE_TESTS := --features conformance/running-server --test async_openai
test-conformance: build conformance/node_modules/.package-lock.json ## OpenAI's own tests and SDKs against the hosted API and the agents' hook
	cargo test --locked --workspace --no-run $(CONFORMANCE_TESTS)
	. scripts/test-env >/dev/null && npm --prefix conformance test --silent
	. scripts/test-env >/dev/null && conformance/agents/run $(BINARY)

HISTORY = conformance/history/history --binary "$${CARGO_TARGET_DIR:-target}/release/vestibule"
test-history: build test-deps ## Concurrent clients and a nemesis for some minutes at a fixed seed, on one node and on two, and a checker of what came of it
	cd conformance/history && python3 -m unittest -q
	$(HISTORY) --seconds $${HISTORY_SECONDS:-120}
	@if [ "$$(id -u)" = 0 ]; then $(HISTORY) --seconds 30 --harm full,SIGKILL; \
		else echo "skipped: a full disk, which takes root to mount one"; fi
	$(HISTORY) --restarts 8
	scripts/with-postgresql $(HISTORY) --nodes 2 --seconds $${HISTORY_NODES_SECONDS:-90}
	scripts/with-postgresql $(HISTORY) --nodes 2 --restarts 8
	scripts/with-postgresql $(HISTORY) --nodes 2 --plant --harm "" --seconds 20

history: build ## The same for an hour, at a seed of its own (HISTORY_SECONDS=3600)
	$(HISTORY) --seconds $${HISTORY_SECONDS:-3600} --seed $$(date +%s)
	$(HISTORY) --restarts 100
	scripts/with-postgresql $(HISTORY) --nodes 2 --restarts 100
	scripts/with-postgresql $(HISTORY) --nodes 3 --seconds $${HISTORY_SECONDS:-3600} --seed $$(date +%s)

test-e2e: build examples/react-better-auth/node_modules/.package-lock.json e2e/node_modules/.package-lock.json
	cargo build --locked --workspace --bin todo-mcp # as the Rust tests have built it
	TODO_MCP_BIN=$(CARGO_TARGET_DIR)/debug/todo-mcp npm --prefix e2e test

test-cases: build ## Cases of a folder that VESTIBULE_CASES names, where there is one; .ci/cases-expected lists known failures
	@if [ -z "$(VESTIBULE_CASES)" ]; then echo "VESTIBULE_CASES is not set: the cases are skipped."; \
	else CASES_EXPECTED=.ci/cases-expected bash "$(VESTIBULE_CASES)/run"; fi

lint: lint-rust lint-web ## Formatting, clippy and ESLint, all warnings denied
lint-rust:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --all-features --locked -- -D warnings
PACKAGES := web examples/react-better-auth e2e conformance bench/web
lint-web: $(PACKAGES:%=%/node_modules/.package-lock.json)
	npm --prefix web run --silent typecheck
	npm --prefix examples/react-better-auth run --silent typecheck
	for package in $(PACKAGES); do npm --prefix $$package run --silent lint || exit 1; done

doc: ## Builds the API documentation, warnings denied
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items --locked

deny: ## Checks licences, sources, banned crates, and advisories where their database can be had
	scripts/deny

fuzz: ## Fuzzes every target for a while (SECONDS_EACH=60)
	scripts/fuzz

bench: build ## Runs the whole side-by-side benchmark
	bench/setup
	bench/run

bench-smoke: build test-deps bench/web/node_modules/.package-lock.json ## The short benchmarks (is every delta delivered and drawn, is nothing leaked?) and the instruction gate
	cd bench && python3 -m unittest -q
	npm --prefix bench/web run --silent test
	bench/run --smoke
	bench/web/run --smoke
	bench/gate

bench-web: web bench/web/node_modules/.package-lock.json ## The element in Chromium, beside other renderers of streamed Markdown; about 25 minutes
	bench/web/run

fmt: ## Formats Rust and TypeScript
	cargo fmt --all
	npm --prefix web run --silent format

clean: ## Removes what was built
	cargo clean
	rm -rf web/dist web/node_modules e2e/node_modules conformance/node_modules bench/web/node_modules bench/web/dist examples/react-better-auth/node_modules examples/react-better-auth/dist
