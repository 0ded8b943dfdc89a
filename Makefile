.DEFAULT_GOAL := help
.PHONY: chaos help up down demo test race lint generate cross build setup clean lab1 lab2 lab3 lab4 lab5 hint

BLOTTER := go run ./capstone/cmd/blotter
LAB := go run ./labs/cmd/lab
COMPOSE = $(shell docker compose version >/dev/null 2>&1 && echo docker compose || echo .ci/compose/compose)

help: ## print this
	@awk -F ':.*## ' '/^[a-z0-9 ]+:.*## / { sub(/ .*lab/, "-", $$1); printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: setup ## run the whole flow on the sample book
	@$(BLOTTER) demo

test: setup ## run every test, the longest cut short; ends with a line of counts
	@$(LAB) test -- -short

lab1 lab2 lab3 lab4 lab5: ## run the checks of one lab
	@set -- labs/$(@:lab%=%)-*/*_test.go; test -e "$$1" || { echo "error: $@ is not written yet"; exit 2; }; \
	$(LAB) test "./$$(dirname "$$1")"

hint: ## say what a check is about: make hint CHECK=L1.4
	@$(LAB) hint $(CHECK)

race: setup ## run every test at its full length, under the race detector
	@$(LAB) test -- -race

lint: ## gofmt, go vet, staticcheck
	@./.tools/setup lint
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo "error: these files are not gofmt-clean"; exit 1; }
	go vet ./...
	go vet -tags lab1,lab2 ./capstone/...
	.tools/bin/staticcheck ./...

generate: ## copy the code that labs 1 and 2 provide from the solutions
	@go test ./labs/kit -run '^TestGeneratedFiles$$' -count=1 -update

cross: ## build and vet for linux, darwin and windows
	@for os in linux darwin windows; do echo "go build, go vet for $$os"; GOOS=$$os go build ./... && GOOS=$$os go vet ./... || exit 1; done

up: ## start Kafka, Postgres, MinIO and a registry in containers, as compose.yaml says
	@$(COMPOSE) up --detach --wait

down: ## stop them; what they stored stays
	@$(COMPOSE) down

build: ## build the command line as ./blotter
	go build -o blotter ./capstone/cmd/blotter

setup: ## build or install what the embedded stack needs
	@./.tools/setup

clean: ## remove what was built here
	rm -rf blotter .tools/bin

chaos: setup ## kill processes that write a log 500 times, on each store, and judge what they did
	@$(BLOTTER) --store kafka chaos --kills 500
	@$(BLOTTER) --store postgres chaos --kills 500

.PHONY: scale
scale: setup ## import a million events (or EVENTS=20000) beside other work; show peak memory and how fast answers are
	@BLOTTER_SCALE=$(or $(EVENTS),1000000) go test ./capstone/cmd/blotter -run '^TestScale$$' -count=1 -v -timeout 6h

.PHONY: chaos bench
bench: setup ## measure each store beside what it is built on, in turns, and a long log beside a short one
	@$(LAB) test -- -run '^$$' -bench 'GroupCommit|Batches|Single' -benchtime 20x ./solutions/2-store/kafka ./solutions/2-store/postgres
	@BLOTTER_SCALE=$(or $(EVENTS),1000000) go test -run '^TestALongLogAnswersAsFastAsAShortOne$$' -count=1 -v -timeout 1h ./solutions/2-store/kafka ./solutions/2-store/postgres
