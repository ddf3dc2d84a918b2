#!/bin/sh
# usage: experiments/exhaustive/exhaustive.sh OUT
#
# Every single-bit fault of the shipped LeNet-5 on Fashion-MNIST, all images. OUT gets the campaign file, what
# it says by layer and bit, the smallest sets that hold most of the harm, how well samples of them estimate
# and rank, and figures. What is there already is continued, not run again.
#
# STOIC, MODEL    the binary, and the network
# IMAGES          the first so many (default: all)
set -eu
here=$(cd "$(dirname "$0")" && pwd)
[ $# -eq 1 ] || { sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2; }
stoic=${STOIC:-$here/../../build/stoic}
model=${MODEL:-$here/../../models/lenet5-fashion-mnist.onnx}
out=$1
mkdir -p "$out"

"$stoic" inject "$model" --data fashion-mnist --fault exhaustive --outcomes critical \
    ${IMAGES:+--images "$IMAGES"} -o "$out/all.db" --format json > "$out/all.json"
sensitivity() {
    "$stoic" analyze sensitivity "$out/all.db" "$@"
}
sensitivity --by weight --cover 1 --format csv -o "$out/ranking.csv"
for by in weight bit layer,bit; do
    sensitivity --by $by --cover 0.5,0.9,0.99
done > "$out/cover.txt"
"$stoic" records "$out/all.db" --format csv | python3 "$here/exhaustive_table.py" "$out" "$out/ranking.csv"
"$stoic" report "$out/all.db" --figures "$out/figures"
if command -v gnuplot > /dev/null; then
    gnuplot -e "folder='$out'" "$here/exhaustive.gp"
else
    echo 'exhaustive: no figures, because there is no gnuplot' >&2
fi
