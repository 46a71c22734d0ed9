#!/bin/sh
# Makes the virtual environment: sh tools/setup.sh PYTHON VENV
set -eu
python=$1
venv=$2

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "Jupiter needs Python 3.11 or newer; $python is $("$python" -V 2>&1)." >&2
    echo "Name another one: make PYTHON=python3.12 …" >&2
    exit 1
}
"$python" -c 'import venv, ensurepip' 2>/dev/null || {
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    echo "This Python has no venv module. Add it, then call make again:" >&2
    echo "  sudo apt-get install -y python$version-venv" >&2
    exit 1
}
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --editable . --group test
# Compile the schedulers now, so that nobody waits for it later; everything works without it, too.
"$venv/bin/jupiter" warm-up
touch "$venv/.installed"
