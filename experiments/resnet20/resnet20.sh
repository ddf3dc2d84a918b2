#!/bin/sh
# usage: experiments/resnet20/resnet20.sh TRAIN-FOLDER TEST-FOLDER [FOLDER]
#
# Trains a ResNet-20 on CIFAR-10 given as class folders of images and leaves the network, its curves
# and, while it runs, its checkpoint in FOLDER (default: resnet20-cifar10). Stopped or killed, it goes
# on where it was when it is started again. EPOCHS (default 100), SEED (1) and IMAGES make another run.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
stoic=${STOIC:-$here/../../build/stoic}
[ $# -ge 2 ] || { sed -n '2,6s/^# \{0,1\}//p' "$0" >&2; exit 2; }
out=${3:-resnet20-cifar10}
mkdir -p "$out"
[ -e "$out/new.onnx" ] || "$stoic" new resnet20 --seed "${SEED:-1}" -o "$out/new.onnx"
exec "$stoic" train "$out/new.onnx" --data "dir:$1" --test "dir:$2" ${IMAGES:+--images "$IMAGES"} \
    --mean 0.4914,0.4822,0.4465 --std 0.2470,0.2435,0.2616 \
    --epochs "${EPOCHS:-100}" --batch 128 --lr 0.1 --momentum 0.9 --nesterov --weight-decay 5e-4 \
    --schedule cosine:0 --warmup 1 --augment crop,flip --seed "${SEED:-1}" --resume \
    -o "$out/resnet20-cifar10.onnx"
