#!/bin/sh
# Makes a Debian 12 machine ready for the tests: the packages of apt-packages.txt, and the playlist linter from npm.
#
# As root it installs what is missing; otherwise it prints the command for it and exits with 1. With nothing missing it
# takes a moment and touches no network. npm is the one on PATH: `make` calls it through
# deploy/with-node.sh, which brings one where the machine has none.
set -eu

rig=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)

command -v dpkg-query >/dev/null || {
    echo "prepare.sh: the tests need a Debian 12 machine (dpkg-query is not there)" >&2
    exit 1
}

missing=
for package in $(sed 's/#.*//' "$rig/apt-packages.txt"); do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || status=absent
    [ "$status" = installed ] || missing="$missing $package"
done

if [ -n "$missing" ]; then
    if [ "$(id -u)" -ne 0 ]; then
        echo "prepare.sh: the tests need Debian packages that are missing; install them with" >&2
        echo "    sudo apt-get update && sudo apt-get install --yes --no-install-recommends$missing" >&2
        exit 1
    fi
    echo "prepare.sh: installing$missing"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update --quiet --quiet
    # shellcheck disable=SC2086 # a list of words
    apt-get install --quiet --quiet --yes --no-install-recommends $missing
fi

# npm writes its own copy of the lock when it has installed: older than the lock, or absent, means there is work to do.
if [ -z "$(find "$rig/node_modules/.package-lock.json" -newer "$rig/package-lock.json" 2>/dev/null)" ]; then
    (cd "$rig" && npm ci)
    touch "$rig/node_modules/.package-lock.json"
fi
