#!/bin/sh
# Makes the tree that the tests boot: Debian with systemd and Python, and twistdp as an
# administrator would install it, with the tree's own Python.
#
#     prepare.sh DIRECTORY
#
# DIRECTORY/tree is kept and used again for the same suite, $SUITE or the machine's own.
set -eu
cd "$(dirname "$0")/../.."
directory=$1
tree=$directory/tree
export DEBIAN_FRONTEND=noninteractive

[ "$(id -u)" = 0 ] || { echo "prepare.sh: booting a tree needs root" >&2; exit 1; }
if ! { command -v systemd-nspawn && command -v nsenter; } >/dev/null; then
    apt-get -qq update
    apt-get -qq install --yes --no-install-recommends systemd-container util-linux
fi
. /etc/os-release
suite=${SUITE:-$VERSION_CODENAME}
if [ "$(cat "$directory/made" 2>/dev/null)" != "$suite" ]; then
    rm -f "$directory/made"
    .ci/debian-tree "$suite" "$tree" systemd,systemd-sysv,dbus,python3,python3-venv
    echo "$suite" >"$directory/made"
fi
rm -rf "$tree/src" "$tree/opt/twistdp"
mkdir "$tree/src"
cp -r LICENSE README.md pyproject.toml setup.cfg twistdp twisted "$tree/src"
.ci/pip-conf >"$tree/etc/pip.conf"
cert=$(sed -n 's/^cert=//p' "$tree/etc/pip.conf")
if [ "$cert" ]; then
    install -D --mode=644 "$cert" "$tree$cert"
fi
cp --dereference --remove-destination /etc/resolv.conf "$tree/etc/resolv.conf"
env --ignore-environment PATH="$PATH" chroot "$tree" sh -euc '
    python3 -m venv /opt/twistdp
    cd /src/twistdp/deployment/requirements
    pip="/opt/twistdp/bin/pip --disable-pip-version-check --quiet install --use-pep517"
    pip="$pip --no-build-isolation"
    $pip --require-hashes --requirement build.txt
    $pip --require-hashes --requirement run.txt
    $pip --no-index /src
    /opt/twistdp/bin/twistd --help >/dev/null'
