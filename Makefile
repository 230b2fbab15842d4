# Everything a person does with this checkout, one line each. Works on a fresh Debian 12 with git, make and Swift.
SHELL := /bin/bash -o pipefail
DATA ?= ./data
HOST ?= 0.0.0.0
PORT ?= 8080
# How long `make soak` lasts (MINUTES=3 for a short one), and what its faults are made of.
HOURS ?= 1
SEED ?= 6
# Most tests wait for cameras: five files at a time fill two cores.
PYTEST = .venv-test/bin/python -m pytest tests-e2e -c tests-e2e/pytest.ini -n 5 --dist loadfile

.PHONY: build demo run test unit e2e test-long bench bench-storage bench-api bench-live bench-timeline bench-replay bench-restart soak lint format clean screenshots
build:     ; scripts/install-build.sh && scripts/build-ui.sh && swift build -c release --product vibenvr
demo:      build ; scripts/install-demo.sh && exec .build/release/vibenvr demo --data-dir $(DATA)/demo --port $(PORT) --camera-command "/usr/bin/python3 demo/camera.py --cache .work/footage"
run:       build ; exec .build/release/vibenvr serve --data-dir $(DATA) --host $(HOST) --port $(PORT)
unit:      ; scripts/install-build.sh && scripts/install-test.sh && scripts/build-ui.sh --check && swift build -c release --build-tests && swift test -c release --skip-build
e2e:       ; scripts/install-test.sh && $(PYTEST)
test:      unit e2e
test-long: unit ; VIBENVR_LONG=1 $(PYTEST) --timeout 3000
bench:     build ; scripts/install-bench.sh && .venv-test/bin/python bench/bench.py
bench-storage: build ; scripts/install-bench.sh && .venv-test/bin/python bench/storage_bench.py && .venv-test/bin/python bench/writing_bench.py
bench-api: build ; scripts/install-bench.sh && .venv-test/bin/python bench/api_bench.py
bench-live: build ; scripts/install-bench.sh && .venv-test/bin/python bench/live_bench.py
bench-timeline: build ; scripts/install-bench.sh && .venv-test/bin/python bench/timeline_bench.py
bench-replay: build ; scripts/install-bench.sh && .venv-test/bin/python bench/replay_bench.py
bench-restart: build ; scripts/install-bench.sh && .venv-test/bin/python bench/restart_bench.py
soak:      build ; scripts/install-bench.sh && .venv-test/bin/python bench/soak.py $(if $(MINUTES),--minutes $(MINUTES),--hours $(HOURS)) --seed $(SEED)
lint:      ; swift format lint --strict --parallel --recursive Package.swift Sources Tests
format:    ; swift format --in-place --parallel --recursive Package.swift Sources Tests
screenshots: build ; scripts/install-test.sh && .venv-test/bin/python tests-e2e/screenshots.py
clean:     ; rm -rf .build .work .venv-test WebUI/dist
