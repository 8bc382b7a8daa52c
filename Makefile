# Tandem: `make demo` shows it, `make test` proves it. Everything else is here for people who work on it.
PRESET ?= release
BUILD  := build/$(PRESET)
JOBS   ?= $(shell nproc)

.PHONY: setup build demo test test-clients test-schema bench format check asan tsan fuzz clean mini-data mini

setup:
	@tools/setup.sh

build: setup
	@mkdir -p build
	@cmake --preset $(PRESET) -Wno-dev --log-level=WARNING >/dev/null
	@cmake --build $(BUILD) -j $(JOBS)

demo: build
	@tools/demo.sh $(BUILD)

# A second try for what a busy machine made late; what fails twice has failed.
test: build
	@cd $(BUILD) && ctest --output-on-failure -j $(JOBS) --repeat until-pass:2

# The server, asked by other projects' own clients (205 MB of wheels, once); and by schemathesis, any number of cases.
test-clients: build
	@tests/serve/clients.sh $(BUILD)

CASES ?= 20000
test-schema: build
	@tests/serve/schemathesis.sh $(BUILD) $(CASES)

bench: build
	@bench/run.sh $(BUILD)

format:
	@git ls-files '*.h' '*.cc' | xargs clang-format-19 -i

check: setup
	@tools/check.sh

asan tsan:
	@$(MAKE) --no-print-directory test PRESET=$@

# Each fuzz target for this many seconds.
FUZZ_SECONDS ?= 60
fuzz: setup
	@tools/fuzz.sh $(FUZZ_SECONDS)

# The default model from nothing: its pictures (network), then its training (hours; kill it, run it again, it goes on).
mini-data:
	@python3 tools/mini/build.py --out data/mini

mini: build
	@$(BUILD)/bin/tandem train assets/mini/train.json

clean:
	@rm -rf build
