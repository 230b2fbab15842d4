#!/bin/sh
# What building the product needs beside git and Swift: the C libraries it links, and what makes the web interface.
set -eu
cd "$(dirname "$0")"
exec ./apt-install "build packages" \
    git make pkg-config ca-certificates \
    libavformat-dev libavcodec-dev libavutil-dev libswscale-dev libswresample-dev \
    libargon2-dev libsqlite3-dev zlib1g-dev \
    nodejs esbuild node-react node-react-dom node-typescript
