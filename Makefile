# Everything a developer or a newcomer does here is one of these targets; `make` alone lists them.

.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

BINARY := .build/release/logstore
# A fully static executable; the linker strips it. The objects of the release build are kept apart by SwiftPM.
RELEASE := -c release --product logstore -Xswiftc -static-executable -Xlinker -s
SOURCES := Package.swift Sources Tests Benchmarks/Package.swift Benchmarks/Sources
ROWS ?= 5000000

.PHONY: help setup setup-clients setup-system build demo test test-clients unit-test end-to-end tidy bench kafka-bench
.PHONY: micro-bench reference lint format clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install what is missing from apt and PyPI (does nothing when all is there)
	@Tools/setup.sh

setup-clients:
	@Tools/setup.sh --clients

setup-system:
	@Tools/setup.sh --system-only

build: setup-system ## build .build/release/logstore: static, stripped, checked
	swift build $(RELEASE)
	@Tools/check-binary.sh $(BINARY)

demo: build ## start a server and a real nginx, stream its logs in, ask three questions; Ctrl-C ends it
	@Tools/demo/demo.sh $(BINARY)

test: setup lint build ## everything CI runs: lint, build, unit, tidy and end-to-end tests
	@Tools/run-tests.sh $(BINARY)

test-clients: setup-clients build ## the Java clients, Debezium on a real MariaDB, Maxwell's rows
	@.venv/bin/python Tests/Clients/run.py $(BINARY)

unit-test: setup ## the tests that need no release binary
	swift test --skip EndToEndTests

end-to-end: setup build ## only the tests that drive the release binary
	LOGSTORE_BINARY=$(abspath $(BINARY)) swift test --filter EndToEndTests

bench: setup build ## load ROWS (5,000,000) rows, run the 16 queries beside chDB, write docs/benchmarks.md
	@Benchmarks/bench.sh $(BINARY) $(ROWS)

kafka-bench: setup build ## librdkafka against logstore and against its own mock broker; writes docs/benchmarks.md
	@mkdir -p .bench && .venv/bin/python Benchmarks/kafka/bench.py $(BINARY) .bench docs/benchmarks.md

micro-bench: setup-system ## scanner, codecs, CRC and hash table alone
	swift run -c release --package-path Benchmarks micro

reference: build ## write the lists of functions and formats in docs/sql.md from the binary
	python3 Tools/sql-reference.py $(BINARY)

lint: ## swift format in strict mode; shell scripts parse; Python compiles
	swift format lint --strict --recursive --parallel $(SOURCES)
	@for script in .ci/run Benchmarks/*.sh Tools/*.sh Tools/demo/*.sh Tests/Clients/*.sh; do bash -n "$$script"; done
	@python3 -m compileall -q Benchmarks/*.py Benchmarks/kafka Tools Tests/Clients > /dev/null

format: ## format every Swift file in place
	swift format --in-place --recursive --parallel $(SOURCES)

clean: ## remove what was built, the demo's and the benchmark's data
	rm -rf .build Benchmarks/.build .demo .bench
