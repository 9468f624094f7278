#!/bin/sh
# Prometheus and promtool of Debian, unpacked and not installed: no service is started.
#
#     prepare.sh DIRECTORY
#
# DIRECTORY/usr/bin has them then.
set -eu
directory=$1
[ -x "$directory/usr/bin/promtool" ] && exit
rm -rf "$directory"
mkdir -p "$directory/download"
(
    cd "$directory/download"
    apt-get -qq download prometheus 2>/dev/null || {
        apt-get -qq update
        apt-get -qq download prometheus
    }
)
dpkg --extract "$directory"/download/prometheus_*.deb "$directory"
rm -r "$directory/download"
