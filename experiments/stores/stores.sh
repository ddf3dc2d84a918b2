#!/bin/sh
# usage: experiments/stores/stores.sh OUT [CIFAR-10-TEST-FOLDER]
#
# Bit errors in the stored weights of the shipped LeNet-5 (Fashion-MNIST), under 28 stores, and of the
# shipped ResNet-20 as well if the class folders of CIFAR-10's test set are given. OUT gets the campaign
# files, results.csv and a figure a network. What is there already is continued, not run again.
#
# STOIC, MODELS   the binary, and the folder of the networks
# IMAGES          the first so many of Fashion-MNIST (default: all); TRIALS (20); RATES (four decades)
# SEED            of the trials (0)
# CIFAR_IMAGES    so many of CIFAR-10, the same number of each class (1000); CIFAR_TRIALS (10)
# NETWORK, DATA   another network and its --data, instead of these two; OPTIONS: more for inject,
#                 such as '--resize 224'
# TIMES=only      no campaigns: measure what reading costs, for the rows of OUT/results.csv, on a
#                 machine that does nothing else
set -eu
here=$(cd "$(dirname "$0")" && pwd)
[ $# -ge 1 ] || { sed -n '2,16s/^# \{0,1\}//p' "$0" >&2; exit 2; }
stoic=${STOIC:-$here/../../build/stoic}
models=${MODELS:-$here/../../models}
out=$1
cifar=${2:-}
trials=${TRIALS:-20}
rates=${RATES:-1e-5,1e-4,1e-3,1e-2}
measure=${TIMES:-}
began=$(date +%s)
mkdir -p "$out"

stores='fp32
fp16
bf16
fp32,scale=max:1.9999,protect=exponent-msb
fp16,scale=max:1.9999,protect=exponent-msb
fp16,protect=exponent-msb
q2.5
q2.5,scale=max:1.97
int8
affine:8
affine:7
affine:6
affine:5
affine:4
affine:3
affine:5,code=msb3
affine:4,code=msb3
affine:3,code=msb3
affine:8,code=msb3
int8,code=rep:2
int8,code=tmr
int8,code=secded72
fp32,code=secded72
fp32,code=secded39
affine:5,code=secded72
int8,code=zerospace64
q2.5,code=parity64
fp32,code=tmr'

stop() {
    echo "stores: stopped; what is done is kept, 'rm -r $out' starts afresh" >&2
    exit 1
}

# take_times MODEL INJECT-OPTIONS…: the columns that are measured without faults.
take_times() {
    model=$1
    shift
    STOIC=$stoic python3 "$here/stores_times.py" "$out/results.csv" "$(basename "$model" .onnx)" "$model" "$@" || stop
}

# sweep MODEL TRIALS INJECT-OPTIONS…: every store and rate; the answers lie beside the campaign files.
sweep() {
    model=$1 name=$(basename "$1" .onnx) count=$2
    shift 2
    [ -z "$measure" ] || { take_times "$model" "$@"; return; }
    mkdir -p "$out/$name"
    for store in $stores; do
        file=$out/$name/$(printf %s "$store" | tr ',:=' '---')
        "$stoic" store "$model" --store "$store" --format json > "$file.store.json" || stop
        printf '[%4d s] %s, %s\n' $(($(date +%s) - began)) "$name" "$store"
        for rate in $(printf %s "$rates" | tr ',' ' '); do
            "$stoic" inject "$model" --store "$store" --fault "ber:$rate" --trials "$count" --seed "${SEED:-0}" \
                -o "$file.ber-$rate.db" --format json --quiet "$@" > "$file.part" || stop
            mv "$file.part" "$file.ber-$rate.json"
        done
    done
    echo "$name" >> "$out/networks"
}

networks() {
    if [ -n "${NETWORK:-}" ]; then
        # shellcheck disable=SC2086
        sweep "$NETWORK" "$trials" --data "$DATA" ${OPTIONS:-}
        return
    fi
    sweep "$models/lenet5-fashion-mnist.onnx" "$trials" --data fashion-mnist:test \
        ${IMAGES:+--images "$IMAGES"}
    [ -n "$cifar" ] || return 0
    subset=$out/cifar10-images
    python3 "$here/stores_spread.py" "$cifar" "${CIFAR_IMAGES:-1000}" "$subset"
    sweep "$models/resnet20-cifar10.onnx" "${CIFAR_TRIALS:-10}" --data "dir:$subset"
}

if [ -z "$measure" ]; then
    : > "$out/networks"
    networks
    printf '%s\n' "$stores" | python3 "$here/stores_gather.py" "$out" "$rates" > "$out/results.csv"
    measure=now
fi
networks
[ "$measure" = now ] || exit 0
if command -v gnuplot > /dev/null; then
    while read -r name; do
        gnuplot -e "results='$out/results.csv'; network='$name'; figure='$out/$name.png'" \
            "$here/stores.gp" || stop
    done < "$out/networks"
else
    echo 'stores: no figures, because there is no gnuplot' >&2
fi
printf '%d s in all. %s/results.csv\n' $(($(date +%s) - began)) "$out"
