#!/bin/sh
# Make the virtual environment $1, if it is not there, and install the lock file $2 into it.
# The interpreter is $PYTHON, else the first of the usual names that is Python 3.11 or newer.
set -eu
venv=$1
lock=$2

suits() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

if ! suits "$venv/bin/python"; then
    found=
    for python in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
        if suits "$python"; then
            found=$python
            break
        fi
    done
    if [ -z "$found" ]; then
        echo "No Python 3.11 or newer was found: install one, or name it with PYTHON=/path/to/python3." >&2
        exit 1
    fi
    echo "Setting up $venv with $("$found" --version 2>&1) (once)" >&2
    if ! "$found" -m venv --clear "$venv" >&2; then
        echo "$found cannot make a virtual environment: install its venv module (Debian, Ubuntu: python3-venv)." >&2
        exit 1
    fi
fi
echo "Installing $lock" >&2
# The lock is complete, so nothing is resolved (--no-deps): a release made after it can then not disturb an older pip.
exec "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement "$lock" >&2
