# Tandem: `make demo` shows it, `make test` proves it. Everything else is here for people who work on it.
PRESET ?= release
BUILD  := build/$(PRESET)
JOBS   ?= $(shell nproc)

.PHONY: setup build demo test bench format check asan tsan fuzz clean mini-data mini

setup:
	@tools/setup.sh

$(BUILD)/build.ninja: CMakeLists.txt CMakePresets.json
	@cmake --preset $(PRESET) >$(BUILD).log 2>&1 || { mkdir -p build; cat $(BUILD).log; exit 1; }

build: setup
	@mkdir -p build
	@cmake --preset $(PRESET) -Wno-dev --log-level=WARNING >/dev/null
	@cmake --build $(BUILD) -j $(JOBS)

demo: build
	@tools/demo.sh $(BUILD)

test: build
	@cd $(BUILD) && ctest --output-on-failure -j $(JOBS)

bench: build
	@bench/run.sh $(BUILD)

format:
	@git ls-files '*.h' '*.cc' | xargs clang-format-19 -i

check: setup
	@tools/check.sh

asan tsan:
	@$(MAKE) --no-print-directory test PRESET=$@

clean:
	@rm -rf build
