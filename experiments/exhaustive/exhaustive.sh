#!/bin/sh
# usage: experiments/exhaustive/exhaustive.sh OUT
#
# Every single-bit fault of the shipped LeNet-5 on Fashion-MNIST: conv2 to fc3 on all images, conv1, whose
# faults take by far the longest, on the first CONV1_IMAGES (1000). OUT gets the campaign files, what they
# say by layer and bit, the smallest sets that hold most of the harm, how well samples of them estimate and
# rank, and figures. What is there already is continued, not run again.
#
# STOIC, MODEL    the binary, and the network
# IMAGES          the first so many (default: all)
set -eu
here=$(cd "$(dirname "$0")" && pwd)
[ $# -eq 1 ] || { sed -n '2,11s/^# \{0,1\}//p' "$0" >&2; exit 2; }
stoic=${STOIC:-$here/../../build/stoic}
model=${MODEL:-$here/../../models/lenet5-fashion-mnist.onnx}
out=$1
mkdir -p "$out"

# campaign NAME LAYERS OPTION…
campaign() {
    name=$1 layers=$2
    shift 2
    "$stoic" inject "$model" --data fashion-mnist --fault "exhaustive,layer=$layers" \
        --outcomes critical -o "$out/$name.db" --format json "$@" > "$out/$name.json"
}

campaign conv1 0 --images "${CONV1_IMAGES:-1000}"
campaign rest 1-4 ${IMAGES:+--images "$IMAGES"}
sensitivity() {
    "$stoic" analyze sensitivity "$out/rest.db" "$@"
}
sensitivity --by weight --cover 1 --format csv -o "$out/ranking.csv"
for by in weight bit layer,bit; do
    sensitivity --by $by --cover 0.5,0.9,0.99
done > "$out/cover.txt"
for name in conv1 rest; do
    "$stoic" records "$out/$name.db" --format csv
done | python3 "$here/exhaustive_table.py" "$out" "$out/ranking.csv"
"$stoic" report "$out/rest.db" --figures "$out/figures"
if command -v gnuplot > /dev/null; then
    gnuplot -e "folder='$out'" "$here/exhaustive.gp"
else
    echo 'exhaustive: no figures, because there is no gnuplot' >&2
fi
