# make run and make test need nothing but Go and, for the tests, what they install
# themselves. "make help" lists everything.

SHELL := /bin/sh
BIN := bin/ab2d
LINT := go tool -modfile=.ci/tools.mod
WAITING := ^Test(Chaos$$|ANewcomer|FromHPMS)

.PHONY: run demo test newcomer chaos chaos-client check deploy reproduce generate fresh lint cluster bench fuzz build clean help

run: build ## start the sandbox on http://127.0.0.1:8080, data under ./var
	@exec $(BIN) serve

demo: build ## the whole walk: start, token, export of S0000, download, check, stop
	@exec $(BIN) demo

test: ## all tests: units with -race in random order, then real processes
	@.ci/need gcc=gcc ld=binutils git=git curl=curl jq=jq openssl=openssl pg_ctl=postgresql chromium=chromium node=nodejs npm=npm
	@.ci/versitygw >/dev/null
	@.ci/newman >/dev/null
	@# SQLite in Go is a program that was translated: to watch it for races takes twice as long and tells of nothing that is ours. Without -l it
	@# would take copies of the library's synchronisation into itself, which others then share, and which races are seen in that are none.
	go test -race -gcflags='modernc.org/...=-race=false -l' -shuffle=on -timeout 15m $$(go list ./... | grep -v '/cmd/')
	@# What waits more than it works goes on beside the others.
	go test -timeout 15m -run '$(WAITING)' ./cmd/ab2d & waiting=$$!; \
	go test -shuffle=on -timeout 15m -skip '$(WAITING)' ./adapters/synthetic ./cmd/...; others=$$?; \
	wait $$waiting && exit $$others

newcomer: ## from a clean clone, type what the README and the guide say, and compare
	@.ci/need git=git curl=curl jq=jq openssl=openssl node=nodejs npm=npm
	go test ./cmd/ab2d -run '^TestANewcomer' -count=1 -v

chaos: ## processes, database and stores fail at random for CHAOS_TIME (10m); CHAOS_SEED repeats a run
	@.ci/need pg_ctl=postgresql
	AB2D_TEST_CHAOS_TIME=$${CHAOS_TIME:-10m} AB2D_TEST_CHAOS_SEED=$${CHAOS_SEED:-random} \
	go test ./cmd/ab2d -run '^TestChaos$$' -count=1 -v -timeout 0

chaos-client: ## the client is killed CLIENT_KILLS times (50) in an export of S0010 over a connection that drops; CLIENT_SEED repeats a run
	AB2D_TEST_EXPORT_KILLS=$${CLIENT_KILLS:-50} AB2D_TEST_EXPORT_CONTRACT=$${CLIENT_CONTRACT:-S0010} AB2D_TEST_EXPORT_SEED=$${CLIENT_SEED:-1} \
	go test ./cmd/ab2d -run '^TestAKilledClient' -count=1 -v -timeout 0

check: lint fresh deploy ## vet, staticcheck, formatting, generated files are fresh, and what is in deploy is well-formed

lint:
	@.ci/need gcc=gcc
	@test -z "$$(gofmt -l . | tee /dev/stderr)" || { echo "gofmt would change the files above" >&2; exit 1; }
	go vet ./...
	$(LINT) staticcheck ./...

deploy: reproduce ## check what is in deploy without a container engine: compose, Kubernetes, alerts, release, systemd
	@.ci/need systemd-analyze=systemd
	@cd .ci/deploy && go run . ../..
	@.ci/unit

reproduce: ## build the binary in two clones, in folders of their own, and compare
	@.ci/reproduce

generate: ## make what is generated anew: code (ent, templ, wire) and pages (docs)
	go generate -skip 'go run -mod=mod' ./...

fresh: ## fail when the generated code is not what go generate makes
	@before=$$(git status --porcelain | sort); go generate -skip 'go run -mod=mod' ./... || exit 1; \
	after=$$(git status --porcelain | sort); \
	git diff --exit-code --stat -- ent web wire_gen.go docs THIRD_PARTY_NOTICES.txt && test "$$before" = "$$after" || \
	{ echo "the generated code is stale: run make generate and commit the result" >&2; exit 1; }

cluster: build ## a cluster on this machine: Postgres, S3 server, two APIs, three workers behind one address
	@.ci/need pg_ctl=postgresql
	@.ci/versitygw >/dev/null
	@exec $(BIN) cluster

bench: build ## whole exports, alone and in a cluster, downloads beside nginx, status, recovery: one table each
	@.ci/need pg_ctl=postgresql nginx=nginx-light
	@.ci/versitygw >/dev/null
	@exec $(BIN) bench

fuzz: ## look for inputs that break a parser, or on which two ways differ: each target for FUZZTIME (1m)
	@grep -ro '^func Fuzz[A-Za-z]*' --include='*_test.go' . | sed 's|^\./\(.*\)/[^/]*:func \(.*\)|\1 \2|' | sort | while read -r dir name; do \
		echo "$$dir $$name"; go test -run '^$$' -fuzz "^$$name$$" -fuzztime $${FUZZTIME:-1m} "./$$dir" || exit 1; done

build: ## build the one binary, static
	@CGO_ENABLED=0 go build -trimpath -o $(BIN) ./cmd/ab2d

clean: ## remove what was built; the sandbox's data under ./var stays
	rm -rf bin

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
