#!/bin/sh
# The main job: sh tools/demo.sh VENV/bin
set -eu
bin=$1
out=demo-output

"$bin/python" examples/dnad/traffic.py --items 100 --packets 1000 --seed 1 --out "$out/traffic"
rm -rf "$out/input"
mkdir "$out/input"
mv "$out"/traffic/*.ipsum "$out/input/"
exec "$bin/jupiter" run examples/dnad --cluster examples/clusters/demo.toml \
    --input "$out/input" --output "$out" --overwrite \
    --compare random --compare single-node
