#!/bin/sh
# usage: experiments/diehardnet/diehardnet.sh TRAIN-FOLDER TEST-FOLDER [FOLDER]
#
# Paper 4 on CIFAR-10, given as class folders of images: trains a ResNet in its configurations, all
# for the same epochs, and measures each. FOLDER (default: diehardnet) keeps networks, checkpoints
# and campaign files; stopped or killed, it goes on where it was when it is started again.
#
# NETWORK   resnet20 (default), resnet44 …     EPOCHS  of each training (20)     SEED  (1)
# CONFIGS   "baseline relu6 aware invert both all100 single mix fat" or some of them; all100, single and
#           mix are the ablations of section 5.2: every image hit, single elements, all models; fat is
#           fault-aware training alone
# RAMP      severity of the faults in the last epoch (100, the paper's, over 100 epochs)
# PASSES    campaigns of the regret (5)        OPERATIONS  faults of each operation model (400)
# START     a trained network to go on from, instead of a new one; baseline is then this as it is
# RECIPE    options of stoic train instead of the paper's, for networks that are trained already
# IMAGES    so many training images, for a trial run       TEST_IMAGES  so many test images
set -eu
here=$(cd "$(dirname "$0")" && pwd)
stoic=${STOIC:-$here/../../build/stoic}
[ $# -ge 2 ] || { sed -n '2,17s/^# \{0,1\}//p' "$0" >&2; exit 2; }
train=$1 test=$2 out=${3:-diehardnet}
network=${NETWORK:-resnet20} epochs=${EPOCHS:-20} seed=${SEED:-1} ramp=${RAMP:-100}
configs=${CONFIGS:-baseline relu6 aware invert both all100 single mix fat}
recipe=${RECIPE:---lr 2 --momentum 0.9 --weight-decay 1e-5 --schedule cosine:1e-4 --clip 1 --loss bce
    --augment resizedcrop,flip}
mean=0.4914,0.4822,0.4465 std=0.2470,0.2435,0.2616
began=$(date +%s)
mkdir -p "$out"

stop() {
    echo "diehardnet: stopped; what is done is kept, the same command goes on" >&2
    exit 1
}
say() { printf '[%5d s] %s\n' $(($(date +%s) - began)) "$*"; }

# passes_of CONFIG, faults_of CONFIG: what the network goes through, and what it is trained under.
passes_of() {
    case $1 in
    baseline | fat) ;;
    relu6 | aware) echo '--pass relu6' ;;
    *) echo '--pass relu6 --pass invert' ;;
    esac
}
faults_of() {
    case $1 in
    aware | both | fat) echo "--fault map:block,value=ramp,ramp=$ramp,share=0.75" ;;
    all100) echo "--fault map:block,value=ramp,ramp=$ramp,share=1" ;;
    single) echo "--fault map:single,value=ramp,ramp=$ramp,share=0.75" ;;
    mix) echo "--fault map:mix,value=ramp,ramp=$ramp,share=0.75" ;;
    esac
}

# The recipe of paper 4, shortened to EPOCHS.
build() {
    config=$1 at=$out/$network-$1
    [ -e "$at.onnx" ] && return
    if [ -z "${START:-}" ]; then
        "$stoic" new "$network" --seed "$seed" -o "$at.new.onnx" > /dev/null || stop
    elif [ "$config" = baseline ]; then
        cp "$START" "$at.onnx"
        return
    else
        cp "$START" "$at.new.onnx"
    fi
    # shellcheck disable=SC2046
    if [ -n "$(passes_of "$config")" ]; then
        "$stoic" harden "$at.new.onnx" $(passes_of "$config") -o "$at.hard.onnx" > /dev/null || stop
        mv "$at.hard.onnx" "$at.new.onnx"
    fi
    # shellcheck disable=SC2046,SC2086
    "$stoic" train "$at.new.onnx" --data "dir:$train" --test "dir:$test" ${IMAGES:+--images "$IMAGES"} \
        ${TEST_IMAGES:+--test-images "$TEST_IMAGES"} --mean "$mean" --std "$std" --epochs "$epochs" \
        --batch 128 $recipe $(faults_of "$config") --seed "$seed" --best none --quiet --resume -o "$at.onnx" > "$at.txt" || stop
    say "trained $network $config"
}

# Regret: passes over the test set under map:mix. PVF: five models of operation faults.
measure() {
    at=$out/$network-$1
    "$stoic" inject "$at.onnx" --data "dir:$test" ${TEST_IMAGES:+--images "$TEST_IMAGES"} \
        --fault map:mix,value=power-table --trials "${PASSES:-5}" --seed 0 --format json --quiet \
        -o "$at.regret.db" > "$at.part" || stop
    mv "$at.part" "$at.regret.json"
    for model in flip random zero warp-random warp-zero; do
        "$stoic" inject "$at.onnx" --data "dir:$test" ${TEST_IMAGES:+--images "$TEST_IMAGES"} \
            --fault "op:$model" --images-per-trial 1 --trials "${OPERATIONS:-400}" --seed 0 \
            --outcomes all --format json --quiet -o "$at.op-$model.db" > "$at.part" || stop
        mv "$at.part" "$at.op-$model.json"
    done
    "$stoic" eval "$at.onnx" --data "dir:$test" ${TEST_IMAGES:+--images "$TEST_IMAGES"} \
        --format json > "$at.eval.json" || stop
    say "measured $network $1"
}

: > "$out/$network.configs"
for config in $configs; do
    build "$config"
    measure "$config"
    echo "$config" >> "$out/$network.configs"
    if [ "$config" = both ]; then # the NaN filter needs no training
        [ -e "$out/$network-diehardnet.onnx" ] ||
            "$stoic" harden "$out/$network-both.onnx" --pass nan-filter \
                -o "$out/$network-diehardnet.onnx" > "$out/$network-diehardnet.txt" || stop
        measure diehardnet
        echo diehardnet >> "$out/$network.configs"
    fi
done
python3 "$here/diehardnet_gather.py" "$out" "$network" > "$out/$network.csv"
cat "$out/$network.csv"
