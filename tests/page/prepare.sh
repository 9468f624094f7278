#!/bin/sh
# Has Debian's Chromium, and axe-core, which checks pages, in the directory that is named.
#
#     prepare.sh DIRECTORY
set -eu
directory=$1
export DEBIAN_FRONTEND=noninteractive

if ! { command -v chromium && command -v npm; } >/dev/null; then
    [ "$(id -u)" = 0 ] || { echo "prepare.sh: chromium and npm are missing; run it as root" >&2; exit 1; }
    apt-get -qq update
    apt-get -qq install --yes --no-install-recommends chromium fonts-dejavu-core npm
fi
if [ ! -e "$directory/package/axe.min.js" ]; then
    mkdir -p "$directory"
    cd "$directory"
    npm pack --silent axe-core@4.11.0 >/dev/null
    tar xzf axe-core-*.tgz package/axe.min.js
    rm axe-core-*.tgz
fi
