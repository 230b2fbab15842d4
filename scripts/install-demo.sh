#!/bin/sh
# What the simulated camera of `make demo` needs: GStreamer's RTSP server, ffmpeg to prepare the footage, the footage.
set -eu
cd "$(dirname "$0")"
exec ./apt-install "demo packages" \
    ffmpeg python3 python3-gi gir1.2-gst-rtsp-server-1.0 gir1.2-gst-plugins-base-1.0 \
    gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad \
    opencv-doc
