# make lab    a real cluster on this machine: 3 control planes, 3 workers
# make test   all tests; the end-to-end ones build real clusters and need root
# make build  bin/quorate
SHELL := /bin/sh
.DEFAULT_GOAL := help

BIN := bin/quorate
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
# What is built for this machine and tested; the default of `quorate bundle build`.
KUBERNETES ?=
BUNDLE_FLAGS := $(if $(KUBERNETES),--kubernetes $(KUBERNETES))

.PHONY: help
help: ## Show what there is to make
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build bin/quorate, with the agents for both architectures in it
	@hack/build-agent
	go build -trimpath -buildvcs=false -ldflags '-s -w -X github.com/quorate/quorate/internal/version.stamped=$(VERSION)' -o $(BIN) ./cmd/quorate

.PHONY: prepare
prepare: ## Install the Debian packages that the lab and the tests need (root)
	@hack/prepare

.PHONY: bundle
bundle: build prepare ## Build the offline bundle from source (about 30 CPU-minutes the first time)
	$(BIN) bundle build --from-source --with agnhost $(BUNDLE_FLAGS)

.PHONY: lab
lab: bundle ## Build a real highly available cluster on this machine
	$(BIN) lab up --yes $(BUNDLE_FLAGS)

.PHONY: lab-down
lab-down: build ## Take the lab down, leaving nothing
	$(BIN) lab down --yes

.PHONY: test
test: unit e2e ## All tests

.PHONY: check
check: ## Format, vet, staticcheck and the short unit tests: before each commit, without root
	@hack/build-agent
	hack/check

.PHONY: verify
verify: ## Make what is generated, go.mod and the format anew, and fail where they differed
	hack/verify

.PHONY: unit
unit: build prepare ## Tests that need no cluster
	go vet ./...
	go test -timeout 30m ./...

.PHONY: e2e
e2e: bundle ## Tests on real clusters in the lab (root)
	QUORATE_E2E=$(CURDIR)/$(BIN) go test -count=1 -timeout 75m -parallel 2 -v ./test/e2e

.PHONY: e2e-more
e2e-more: bundle ## Further tests on real clusters, too long for every change (root)
	QUORATE_E2E_MORE=$(CURDIR)/$(BIN) go test -count=1 -timeout 60m -parallel 1 -v ./test/e2e

.PHONY: lab-test
lab-test: build prepare ## The lab's own tests: kills, power, cables, and that nothing is left (root)
	QUORATE_LAB_TEST=1 go test -count=1 -timeout 20m -v ./internal/lab

.PHONY: bench
bench: bundle ## Time an apply beside a plain kubeadm sequence, on the same lab hosts
	hack/bench

.PHONY: bench-failover
bench-failover: bundle ## Break the load balancers in every way, with the published configuration and with ours
	hack/bench-failover

.PHONY: fuzz
fuzz: ## Fuzz every parser for a while
	hack/fuzz

.PHONY: generate
generate: ## Make the cluster file's JSON schema and reference from its types
	go generate ./api/...

.PHONY: clean
clean: ## Remove what was built here; caches and bundles stay
	rm -rf bin
