# Miroir: `make run` starts a working cluster, `make test` passes all tests.

GO ?= go
LINT_VERSION ?= v2.15.0
GOBIN := $(CURDIR)/bin
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
FUZZTIME ?= 20s
PACKAGES := ./...

.DEFAULT_GOAL := help

.PHONY: help
help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## build ./bin/miroir
	$(GO) build -trimpath -ldflags "-X main.version=$(VERSION)" -o bin/miroir ./cmd/miroir

.PHONY: run
run: build ## start a cluster of embedded nodes on http://localhost:7700
	./bin/miroir dev $(ARGS)

.PHONY: test
test: ## run all tests, with the race detector, in a few minutes
	$(GO) test -race -timeout 9m $(PACKAGES)
	cd tests/embedding && $(GO) test -race -timeout 3m ./...

.PHONY: test-long
test-long: ## run the longer suites too (MEILISEARCH_BIN names a real server to compare with)
	MIROIR_LONG=1 $(GO) test -timeout 40m -count=1 $(PACKAGES)

.PHONY: race
race: ## run the tests of the concurrent packages three times under the race detector
	$(GO) test -race -count=3 -timeout 20m ./actors/... ./http/... ./store/... ./embedded/...

.PHONY: lint
lint: bin/golangci-lint-$(LINT_VERSION) ## check style and common mistakes
	bin/golangci-lint-$(LINT_VERSION) run $(PACKAGES)

bin/golangci-lint-$(LINT_VERSION):
	GOBIN=$(GOBIN) $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)
	mv bin/golangci-lint $@

.PHONY: fuzz
fuzz: ## run every fuzz target for FUZZTIME
	@set -e; for pkg in $$($(GO) list $(PACKAGES)); do \
		for f in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
			echo "$$pkg $$f"; $(GO) test $$pkg -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME); \
		done; done

.PHONY: bench
bench: ## run the benchmarks, each beside its baseline
	$(GO) test -run '^$$' -bench . -benchmem -benchtime 0.5s $(PACKAGES)

.PHONY: check
check: lint test ## what CI runs
