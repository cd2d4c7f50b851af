# Copyright The KSIT Authors.
# SPDX-License-Identifier: Apache-2.0

.DEFAULT_GOAL := help

# Static, so that the binary runs from an empty image.
export CGO_ENABLED ?= 0

# Everything is compiled as for the image, which must not differ by where it was
# built: what one target compiled, the next one has. Whatever else GOFLAGS says,
# without this everything would be compiled twice.
export GOFLAGS := $(strip $(filter-out -trimpath,$(GOFLAGS)) -trimpath)

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X ksit.io/ksit/pkg/version.gitVersion=$(VERSION)

# The name of the image, without the version, and what it is built for.
IMAGE ?= localhost/ksit
PLATFORMS ?= linux/$(shell go env GOARCH)
IMAGE_ARCHIVE := bin/ksit-image.tar
IMAGE_TAG := $(subst +,-,$(VERSION))

# How long each fuzz target runs, and below which directory they are.
FUZZTIME ?= 30s
FUZZ ?= pkg

# The packages in which goroutines share state.
RACE_PACKAGES := ./pkg/controller/... ./pkg/cluster/... ./pkg/fetch/... ./pkg/etcd/... ./pkg/metrics/... ./pkg/targetproxy/... ./pkg/certificates/... ./pkg/tracing/...

# Where the end-to-end tests keep what they scraped of KSIT, for the tests of
# dashboards and alerts.
SCRAPES := $(CURDIR)/bin/scrapes

.PHONY: help
help: ## Print the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: build bed ## Bring up a host and two target clusters with KSIT, install the samples, and stay until Ctrl-C.
	bin/bed run --ksit bin/ksit --artifacts artifacts/deploy --samples artifacts/samples

.PHONY: build
build: ## Build bin/ksit.
	go build -ldflags '$(LDFLAGS)' -o bin/ksit ./cmd/ksit

.PHONY: image
image: ## Build KSIT's container image, bin/ksit-image.tar, without a container runtime.
	cd hack/image && go build -o ../../bin/image .
	bin/image --out $(IMAGE_ARCHIVE) --name $(IMAGE) --version $(VERSION) --platforms $(PLATFORMS) \
		--commit "$$(git rev-parse HEAD 2>/dev/null)" --created "$$(git log -1 --format=%cI 2>/dev/null)"

.PHONY: kubectl-ksit
kubectl-ksit: ## Build bin/kubectl-ksit, the kubectl plug-in.
	go build -ldflags '$(LDFLAGS)' -o bin/kubectl-ksit ./cmd/kubectl-ksit

# What artifacts/krew/ksit.yaml offers.
PLUGIN_PLATFORMS := linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64

.PHONY: kubectl-ksit-archives
kubectl-ksit-archives: ## Build the archives of the plug-in for every platform, and a krew manifest with their digests, in bin/krew.
	hack/krew-archives.sh '$(VERSION)' '$(LDFLAGS)' $(PLUGIN_PLATFORMS)

# What is no release is built as one of version 0.0.0, to see that it can be.
RELEASE ?= $(shell git describe --tags --exact-match 2>/dev/null || echo v0.0.0-rehearsal)
RELEASE_PLATFORMS ?= linux/amd64,linux/arm64
RELEASE_URL ?=

.PHONY: release
release: ## Build all that a release consists of, in bin/release; nothing is pushed.
	hack/release.sh '$(RELEASE)' '$(IMAGE)' '$(RELEASE_PLATFORMS)' '$(RELEASE_URL)'

.PHONY: record-kubectl-ksit
record-kubectl-ksit: build bed kubectl-ksit ## Play the story of docs/kubectl-ksit.md on a bed, and write down what is seen.
	hack/record-kubectl-ksit.sh

.PHONY: bed
bed: ## Build bin/bed, which brings up clusters on this machine.
	cd test/bed && go build -o ../../bin/bed ./cmd/bed

.PHONY: tools
tools: bed ## Build the programs of the clusters: kube-apiserver, etcd, kwok and others (minutes, once).
	bin/bed build

# With -count=1: Go does not see that the programs under test have changed, and
# would answer with what it knows of the last ones. The soak mostly waits, and runs
# on a bed of its own beside everything else.
E2E = KSIT_SCRAPES="$(SCRAPES)" KSIT="$(CURDIR)/bin/ksit" KUBECTL_KSIT="$(CURDIR)/bin/kubectl-ksit"

# Tests that start clusters wait more than they work.
.PHONY: test
test: build kubectl-ksit tools ## Run all tests, end-to-end included.
	KSIT_TEST_BIN="$$(bin/bed build)" go test -parallel 6 ./...
	cd hack/image && go test ./...
	cd test/bed && go test ./...
	$(MAKE) test-e2e
	cd test/monitoring && KSIT_SCRAPES="$(SCRAPES)" go test -count=1 ./...
	$(MAKE) test-node

.PHONY: test-unit
test-unit: ## Run the tests that need no cluster.
	go test ./...

.PHONY: test-e2e
test-e2e: build kubectl-ksit tools ## Run the end-to-end tests on beds of their own.
	cd test/e2e && go test -c -o ../../bin/e2e.test .
	$(MAKE) -j2 test-e2e-all-but-soak test-e2e-soak

.PHONY: test-e2e-all-but-soak test-e2e-soak
test-e2e-all-but-soak:
	cd test/e2e && $(E2E) go test -count=1 -timeout 50m -parallel 6 -v -skip '^TestSoak$$' ./...
test-e2e-soak:
	@echo "the soak begins, and is printed when it ends"
	@cd test/e2e && { $(E2E) ../../bin/e2e.test -test.timeout 50m -test.v -test.run '^TestSoak$$' >../../bin/soak.log 2>&1; status=$$?; cat ../../bin/soak.log; exit $$status; }

.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME (30s); make fuzz FUZZ=pkg/fetch runs those of one directory.
	hack/fuzz.sh $(FUZZTIME) $(FUZZ)

.PHONY: test-node
test-node: image tools ## Run KSIT's image as real pods on a real node (root on Linux, with containerd; else says why not).
	cd test/e2e && KSIT_IMAGE_ARCHIVE="$(CURDIR)/$(IMAGE_ARCHIVE)" KSIT_IMAGE="$(IMAGE):$(IMAGE_TAG)" go test -count=1 -timeout 20m -v ./node

.PHONY: soak
soak: build tools ## Fifteen minutes of random faults and changes, and then all must be as it was asked for.
	cd test/e2e && KSIT="$(CURDIR)/bin/ksit" KSIT_SOAK=15m go test -count=1 -timeout 60m -run '^TestSoak$$' -v .

.PHONY: bench
bench: build tools ## Measure KSIT against a CRD, against Helm, and at rest.
	cd test/e2e && KSIT="$(CURDIR)/bin/ksit" go test -timeout 60m -run '^$$' -bench . -benchtime 1x ./bench/...

.PHONY: verify
verify: verify-generate vet lint race ## Run every check that is not a test of behaviour.

.PHONY: generate
generate: ## Generate what follows from the API types (helpers, protobuf, OpenAPI, clients) and from the chart (artifacts/deploy).
	hack/update-codegen.sh

.PHONY: verify-generate
verify-generate: ## Fail when what is generated does not follow from the API types and the chart.
	hack/verify-codegen.sh

.PHONY: vet
vet: ## Run go vet over every module.
	go vet ./...
	cd hack/image && go vet ./...
	cd test/bed && go vet ./...
	cd test/e2e && go vet ./...
	cd test/monitoring && go vet ./...

.PHONY: lint
lint: ## Check formatting, and enforce the import rules.
	@unformatted=$$(gofmt -l cmd pkg test hack); if [ -n "$$unformatted" ]; then echo "run gofmt on:"; echo "$$unformatted"; exit 1; fi
	go test ./test/imports

# Not part of verify: it loads all of Kubernetes to learn facts about it, which
# takes longer than building KSIT. Run it before a release.
.PHONY: staticcheck
staticcheck: ## Run staticcheck (minutes, when its cache is cold).
	go tool -modfile=hack/tools/go.mod staticcheck ./cmd/... ./pkg/...

.PHONY: race
race: ## Run the tests of the concurrent packages under the race detector.
	CGO_ENABLED=1 go test -race $(RACE_PACKAGES)

.PHONY: clean
clean: ## Remove what was built here; the programs of the clusters stay in the user's cache.
	rm -rf bin
