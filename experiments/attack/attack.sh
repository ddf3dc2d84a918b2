#!/bin/sh
# usage: experiments/attack/attack.sh OUT
#
# How many flips of stored bits, chosen to hurt, take the shipped LeNet-5 (Fashion-MNIST) below 50 and
# below 20 % accuracy, under stores and behind hardening passes. OUT gets the answers, the fault
# lists, results.csv and a figure. What is there already is not run again.
#
# STOIC, MODELS   the binary, and the folder of the networks
# IMAGES          the first so many of Fashion-MNIST's test set, attacked and measured (300)
# PROFILE         training images for passes that profile (1000)
# FLIPS           at most so many (100); CANDIDATES   bits of each tensor evaluated in a step (50)
set -eu
here=$(cd "$(dirname "$0")" && pwd)
[ $# -eq 1 ] || { sed -n '2,11s/^# \{0,1\}//p' "$0" >&2; exit 2; }
stoic=${STOIC:-$here/../../build/stoic}
model=${MODELS:-$here/../../models}/lenet5-fashion-mnist.onnx
out=$1
began=$(date +%s)
mkdir -p "$out"

stores='fp32
fp16
int8
affine:8
affine:5
affine:5,code=msb3
q2.5
fp32,scale=max:1.9999,protect=exponent-msb'
passes='relu6 bound:2 ranger clipact'

stop() {
    echo "attack: stopped; what is done is kept, 'rm -r $out' starts afresh" >&2
    exit 1
}

# others MODEL FILE OPTIONS...: the same flips on images that the attack has not seen.
others() {
    hit=$1 list=$2
    shift 2
    rm -f "$list.db"
    "$stoic" inject "$hit" --data fashion-mnist --images 5000-6999 --fault "list:$list-0.2.csv" "$@" \
        -o "$list.db" --quiet --format json > "$list.part" || stop
    mv "$list.part" "$list-others.json"
}

# attack NAME MODEL OPTIONS...: for each limit the answer, and the flips as a fault list.
attack() {
    name=$1 file=$out/$(printf %s "$1" | tr ',:=+ ' '-----') network=$2
    shift 2
    echo "$name" >> "$out/names"
    for below in 0.5 0.2; do
        [ -f "$file-$below.json" ] && continue
        "$stoic" attack "$network" --data fashion-mnist --images "${IMAGES:-300}" \
            --flips "${FLIPS:-100}" --below "$below" --candidates "${CANDIDATES:-50}" --quiet \
            --format json -o "$file-$below.csv" "$@" > "$file.part" || stop
        mv "$file.part" "$file-$below.json"
        printf '[%4d s] %s, below %s\n' $(($(date +%s) - began)) "$name" "$below"
    done
    [ -f "$file-others.json" ] || others "$network" "$file" "$@"
}

: > "$out/names"
for store in $stores; do
    attack "$store" "$model" --store "$store"
done
for pass in $passes; do
    hard=$out/$(printf %s "$pass" | tr : -).onnx
    [ -f "$hard" ] || "$stoic" harden "$model" --pass "$pass" --data fashion-mnist:train \
        --images "${PROFILE:-1000}" -o "$hard" --quiet > /dev/null || stop
    attack "fp32 + $pass" "$hard"
done

python3 "$here/attack_gather.py" "$out" "$out/steps.csv" > "$out/results.csv"
if command -v gnuplot > /dev/null; then
    gnuplot -e "steps='$out/steps.csv'; figure='$out/attack.svg'" "$here/attack.gp" || stop
else
    echo 'attack: no figure, because there is no gnuplot' >&2
fi
printf '%d s in all. %s/results.csv\n' $(($(date +%s) - began)) "$out"
