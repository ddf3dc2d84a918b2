#!/bin/sh
# usage: experiments/protections/protections.sh OUT [CIFAR-10-TRAIN-FOLDER CIFAR-10-TEST-FOLDER]
#
# Every store and pass that needs no training on the same faults: of the shipped LeNet-5 on
# Fashion-MNIST, and of the shipped ResNet-20 too if CIFAR-10's class folders are given. OUT gets the
# campaign files, a CSV and a figure a fault. What is there already is continued, not run again.
#
# STOIC, MODELS   the binary, and the folder of the networks
# IMAGES          so many of Fashion-MNIST (default: all); CIFAR_IMAGES so many of CIFAR-10, the same
#                 number of each class (1000); TRIALS (20); FAULTS, separated by blanks
# MORE            more for compare: protections that were trained, '--with model:FILE'
# NETWORK, DATA, PROFILE   another network, its images and its training images, instead of these two
set -eu
here=$(cd "$(dirname "$0")" && pwd)
[ $# -ge 1 ] || { sed -n '2,13s/^# \{0,1\}//p' "$0" >&2; exit 2; }
stoic=${STOIC:-$here/../../build/stoic}
models=${MODELS:-$here/../../models}
out=$1 train=${2:-} test=${3:-}
trials=${TRIALS:-20}
faults=${FAULTS:-ber:1e-5 ber:1e-4 ber:1e-3 flips:10 map:mix op:random}
began=$(date +%s)
mkdir -p "$out"

stop() {
    echo "protections: stopped; what is done is kept, the same command goes on" >&2
    exit 1
}

# table MODEL OPTIONS…
table() {
    model=$1 name=$(basename "$1" .onnx)
    shift
    # shellcheck disable=SC2046,SC2086
    "$stoic" compare "$model" $(printf -- '--fault %s ' $faults) --trials "$trials" --with all \
        ${MORE:-} --keep "$out/$name" --figure "$out/$name-figures" --format csv --quiet \
        -o "$out/$name.csv" "$@" || stop
    printf '[%4d s] %s\n' $(($(date +%s) - began)) "$name"
}

if [ -n "${NETWORK:-}" ]; then
    table "$NETWORK" --data "$DATA" ${PROFILE:+--profile "$PROFILE"}
    exit 0
fi
table "$models/lenet5-fashion-mnist.onnx" --data fashion-mnist ${IMAGES:+--images "$IMAGES"}
if [ -n "$test" ]; then
    subset=$out/cifar10-images
    python3 "$here/../stores/stores_spread.py" "$test" "${CIFAR_IMAGES:-1000}" "$subset"
    table "$models/resnet20-cifar10.onnx" --data "dir:$subset" --profile "dir:$train"
fi
