#!/bin/sh
# Makes the tree that the tests boot: Debian with systemd and Python, and twistdp as an
# administrator would install it, from wheels.
#
#     prepare.sh DIRECTORY PYTHON
#
# DIRECTORY/tree is kept and used again; PYTHON, with pip, is of the version that Debian has.
set -eu
directory=$1 python=$2
tree=$directory/tree wheels=$directory/wheels
export DEBIAN_FRONTEND=noninteractive

[ "$(id -u)" = 0 ] || { echo "prepare.sh: booting a tree needs root" >&2; exit 1; }
for program in debootstrap systemd-nspawn nsenter; do
    command -v "$program" >/dev/null || missing=yes
done
if [ "${missing:-}" ]; then
    apt-get -qq update
    apt-get -qq install --yes --no-install-recommends debootstrap systemd-container util-linux
fi
mkdir -p "$directory"
if [ ! -e "$directory/made" ]; then
    suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
    rm -rf "$tree"
    debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,python3,python3-venv \
        "$suite" "$tree" "${DEBIAN_MIRROR:-http://deb.debian.org/debian}" \
        >"$directory/debootstrap.log"
    touch "$directory/made"
fi
rm -rf "$wheels" "$tree/wheels" "$tree/opt/twistdp"
"$python" -m pip --disable-pip-version-check wheel --quiet --constraint constraints.txt \
    --wheel-dir "$wheels" .
cp -r "$wheels" "$tree/wheels"
chroot "$tree" python3 -m venv /opt/twistdp
chroot "$tree" env PIP_CONFIG_FILE=/dev/null /opt/twistdp/bin/pip install --quiet --no-index \
    --find-links /wheels twistdp
chroot "$tree" /opt/twistdp/bin/twistd --help >/dev/null
