#!/bin/sh
# usage: experiments/resnet44/resnet44.sh TRAIN-FOLDER TEST-FOLDER [FOLDER]
#
# A ResNet-44 for CIFAR-10, given as class folders of images, from the shipped ResNet-20: the blocks that it has more
# begin as identities (deepen.py), and the whole is trained on. FOLDER (default: resnet44-cifar10) gets the network, its
# curves and, while it runs, its checkpoint; stopped or killed, it goes on where it was when it is started again.
# EPOCHS (8), SEED (1), IMAGES and START (models/resnet20-cifar10.onnx) make another run.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
stoic=${STOIC:-$here/../../build/stoic}
[ $# -ge 2 ] || { sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2; }
out=${3:-resnet44-cifar10}
mkdir -p "$out"
if [ ! -e "$out/deep.onnx" ]; then
    "$stoic" new resnet44 --seed "${SEED:-1}" -o "$out/new.onnx"
    "$here/deepen.py" "${START:-$here/../../models/resnet20-cifar10.onnx}" "$out/new.onnx" "$out/deep.onnx"
fi
exec "$stoic" train "$out/deep.onnx" --data "dir:$1" --test "dir:$2" ${IMAGES:+--images "$IMAGES"} \
    --epochs "${EPOCHS:-8}" --batch 128 --lr 0.05 --momentum 0.9 --nesterov --weight-decay 5e-4 \
    --schedule cosine:0 --warmup 0.2 --augment crop,flip --seed "${SEED:-1}" --resume \
    -o "$out/resnet44-cifar10.onnx"
