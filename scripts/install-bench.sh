#!/bin/sh
# What the benchmarks need beside the tests' packages: Debian's motion, to compare with, and wrk, to ask with.
set -eu
cd "$(dirname "$0")"
./install-test.sh
exec ./apt-install "benchmark packages" motion wrk
