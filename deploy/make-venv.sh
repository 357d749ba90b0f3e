#!/bin/sh
# Makes the virtual environment $1 with $PYTHON (3.11 or newer). Debian keeps the `venv` module in a package of its own.
set -eu
venv=$1
python=${PYTHON:-python3}

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "hlscam needs Python 3.11 or newer; '$python' is not. Set PYTHON=/path/to/python3.11" >&2
    exit 1
fi
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "installing python3-venv ..."
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-venv >/dev/null
    else
        echo "Python's venv module is missing. On Debian: sudo apt install python3-venv" >&2
        exit 1
    fi
fi
"$python" -m venv "$venv"
