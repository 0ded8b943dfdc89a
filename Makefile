.DEFAULT_GOAL := help
.PHONY: help setup demo test long race lint cross build install up down chaos scale costs bench clean
.PHONY: load

BLOTTER := go run ./capstone/cmd/blotter
# fork: omit
.PHONY: lab1 lab2 lab3 lab4 lab5 hint generate peers fuzz fork handout
LAB := go run ./labs/cmd/lab
FUZZTIME ?= 60s
TEST := $(LAB) test --
COMPOSE = $(shell docker compose version >/dev/null 2>&1 && echo docker compose || \
	echo .ci/compose/compose)
# fork: keep
#fork> TEST := go test -timeout 45m
#fork> COMPOSE := docker compose
EVENTS ?= 1000000
BENCHTIME ?= 20x
LENGTH ?= 60s
PACKAGES ?= ./...

help: ## print this list
	@awk -F ':.*## ' '/^[a-z0-9 ]+:.*## / \
		{ sub(/ .*lab/, "-", $$1); printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## build or install what the embedded stack needs
	@./.tools/setup

demo: setup ## run the whole flow on the sample book
	@$(BLOTTER) demo

# fork: omit
test: setup ## run every test, the longest ones shortened; the last line counts them
# fork: keep
#fork> test: setup ## run every test, the longest ones shortened
	@$(TEST) -short ./...

# fork: omit
lab1 lab2 lab3 lab4 lab5: setup ## run the checks of one lab
	@$(LAB) test ./labs/$(@:lab%=%)-*

hint: ## explain a check: make hint CHECK=L1.4; with MORE=1 the second hint, too
	@$(LAB) hint $(CHECK) $(if $(MORE),--more)
# fork: keep

long: setup ## run every test at full length
	@$(TEST) -vet=off $(if $(TESTS),-run '^($(TESTS))$$') $(PACKAGES)

race: setup ## run every test under the race detector, the longest ones shortened
	@$(TEST) -race -short -vet=off ./...

lint: ## gofmt, go vet, staticcheck, determinism of the domain and the folds
	@./.tools/setup lint
	@bad=$$(gofmt -l $$(git ls-files '*.go')); \
	test -z "$$bad" || { echo "$$bad"; echo "error: gofmt would change these files"; exit 1; }
	go vet ./...
# fork: omit
	go vet -tags lab1,lab2,lab3,lab4,lab5 ./capstone/...
# fork: keep
	.tools/bin/staticcheck ./...
	go run ./labs/cmd/determinism

# fork: omit
generate: ## copy the code that the labs provide from the solutions
	@go test ./labs/kit -run '^TestGeneratedFiles$$' -count=1 -update

fork: ## a product without the course: make fork MODULE=example.org/acme/trades NAME=acme [DIR=]
	@go run ./labs/cmd/fork -module '$(MODULE)' -name '$(NAME)' -prefix '$(PREFIX)' -dir '$(DIR)'

handout: ## a template for students, without solutions: make handout [DIR=../labs]
	@go run ./labs/cmd/fork -handout -dir '$(DIR)'
# fork: keep

cross: ## build and vet for linux, darwin and windows
	@for os in linux darwin windows; do \
		echo "go build, go vet for $$os"; \
		GOOS=$$os go build ./... && GOOS=$$os go vet ./... || exit 1; \
	done

build: setup ## build the program as ./blotter
	@go build -o blotter ./capstone/cmd/blotter

install: setup ## install blotter and its S3 gateway where go install puts programs
	@go install ./capstone/cmd/blotter
	@dir="$$(go env GOBIN)"; gopath="$$(go env GOPATH)"; dir="$${dir:-$${gopath%%:*}/bin}"; \
	gateway="$${BLOTTER_S3_GATEWAY:-.tools/bin/versitygw}"; \
	install -m 755 "$$gateway" "$$dir/versitygw" && \
	echo "installed blotter and versitygw in $$dir"

up: ## start Kafka, Postgres, MinIO and a registry in containers: see compose.yaml
	@$(COMPOSE) up --detach --wait

down: ## stop these containers; their data stays
	@$(COMPOSE) down

chaos: setup ## kill processes that write 500 times, on each store; project 1000 histories
	@$(BLOTTER) --store kafka chaos --kills 500
	@$(BLOTTER) --store postgres chaos --kills 500
	@BLOTTER_SEEDS=1000 go test -run '^TestAnyWayGivesTheSameBytes$$' -count=1 -timeout 2h \
		./solutions/3-projections/postgres

scale: setup ## import EVENTS=1000000 beside other work; show peak memory and answer times
	@BLOTTER_SCALE=$(EVENTS) \
		go test ./capstone/cmd/blotter -run '^TestScale$$' -count=1 -v -timeout 6h
	@BLOTTER_SCALE=$(EVENTS) \
		go test -run '^(TestRebuildWhileAppendsGoOn|TestLongModelAnswersAsFastAsShort)$$' \
		-count=1 -v -timeout 2h ./solutions/3-projections/postgres
	@BLOTTER_SCALE=$(EVENTS) \
		go test -run '^TestLongLogAnswersAsFastAsShort$$' -count=1 -v -timeout 2h \
		./capstone/forensics/postgres

costs: setup ## measure bytes and CPU of an event in each part
	@BLOTTER_COSTS=$(EVENTS) \
		go test ./capstone/cmd/blotter -run '^TestCosts$$' -count=1 -v -timeout 2h

load: setup ## send 200 commands a second to a service for LENGTH=60s, through kills and a stop
	@BLOTTER_LOAD=$(LENGTH) go test ./capstone/cmd/blotter \
		-run '^TestServiceLosesNoOutcome$$' -count=1 -v

bench: setup ## measure stores and projections beside bare clients, and long logs
	@$(TEST) -run '^$$' -bench 'GroupCommit|Batches|Single|HotStream' -benchtime $(BENCHTIME) \
		./solutions/2-store/kafka ./solutions/2-store/postgres ./capstone/ledger
	@$(TEST) -run '^$$' -bench CatchUp -benchtime 3x -timeout 1h \
		./solutions/3-projections/postgres
	@BLOTTER_SCALE=$(EVENTS) \
		go test -run '^TestALongLogAnswersAsFastAsAShortOne$$' -count=1 -v -timeout 1h \
		./solutions/2-store/kafka ./solutions/2-store/postgres

# fork: omit
peers: ## seal EVENTS leaves beside Tessera and immudb, on this disk
	@cd .ci/peers && go run . $(EVENTS)

fuzz: ## give every parser of text from outside random input, for FUZZTIME=60s each
	@.ci/fuzz $(FUZZTIME)
# fork: keep

clean: ## remove the built programs
	rm -rf blotter .tools/bin
