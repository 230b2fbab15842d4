#!/bin/sh
# Makes the web interface that the program carries: WebUI/dist/webui.bin. With --check its types, catalogues and unit tests as well.
set -eu
cd "$(dirname "$0")/../WebUI"
exec node build.mjs "$@"
