#!/bin/sh
# What building the product needs beside git and Swift: the C libraries it links.
set -eu
cd "$(dirname "$0")"
exec ./apt-install "build packages" \
    git make pkg-config ca-certificates \
    libavformat-dev libavcodec-dev libavutil-dev libswscale-dev libswresample-dev \
    libargon2-dev libsqlite3-dev zlib1g-dev
