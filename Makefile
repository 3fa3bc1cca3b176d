# Everything starts here: `make` lists what there is.
.DEFAULT_GOAL := help
SHELL := /bin/bash
GO ?= go
BIN := bin/portico
BUILD := $(GO) build -trimpath -ldflags "-s -w"

.PHONY: help run build test bench demo generate check testenv

help: ## list these commands
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

run: build ## build and serve on http://localhost:3000, data in ./data
	@./$(BIN) model fetch || echo "Documents will be searched by words alone; try 'bin/portico model fetch' later."
	@exec ./$(BIN) serve

build: ## build bin/portico
	@command -v $(GO) >/dev/null || { echo "Go is missing: install the version that go.mod names, from go.dev/dl"; exit 1; }
	@mkdir -p bin
	@$(BUILD) -o $(BIN) ./cmd/portico

test: ## install what the tests need, then run all of them
	@scripts/test

bench: build ## measure this machine: as a proxy beside a bare one, and with documents
	@scripts/bench

demo: build testenv ## a real model answers "Why is the sky blue?" through the server
	@.cache/testenv/py/bin/python scripts/demo.py

testenv: ## put what the tests need into .cache/testenv
	@scripts/testenv

generate: ## rewrite generated files: the API document and docs/config.md
	@$(GO) test ./internal/api -v -run '^TestOpenAPI$$' -update | grep -- '--- PASS: TestOpenAPI'
	@$(GO) test ./internal/server -v -run '^TestConfigDocument$$' -update | grep -- '--- PASS: TestConfigDocument'
	@git status --short -- internal/api docs

check: generate test ## generated files are current, then everything of test
	@git diff --exit-code -- internal/api/openapi.json docs/config.md
