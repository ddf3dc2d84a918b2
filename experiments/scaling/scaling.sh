#!/bin/sh
# usage: experiments/scaling/scaling.sh FOLDER [MODEL.onnx DATA-SPEC [OPTION...]]
#
# Weight scaling on a classifier, by default the shipped LeNet-5 on Fashion-MNIST: accuracy under bit errors
# for a range of scaled maxima t (Fig. 3), the scale's choice at one rate (Tables I and II), where
# the factor is divided out (Fig. 4), and the error of single weights (Fig. 2). OPTIONs go to `stoic inject` and
# `eval`: --labels, --resize, --images. Campaigns stay in FOLDER; a second call goes on. TRIALS (10), RATES.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
stoic=${STOIC:-$here/../../build/stoic}
[ $# -ge 1 ] || { sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 2; }
out=$1
model=${2:-$here/../../models/lenet5-fashion-mnist.onnx}
data=${3:-fashion-mnist}
if [ $# -gt 3 ]; then shift 3; else shift $#; fi
trials=${TRIALS:-10}
rates=${RATES:-1e-3 1e-4 1e-5}
mkdir -p "$out"

one() { # part, format, t, rate, store, then OPTIONs
    part=$1 format=$2 t=$3 rate=$4 store=$5
    shift 5
    name=$part-$(echo "$format-$t-$rate" | tr ':,=' '___')
    "$stoic" inject "$model" --data "$data" --store "$store" --fault "ber:$rate" --trials "$trials" \
        -o "$out/$name.db" --quiet --format json "$@" |
        python3 "$here/row.py" "$part" "$format" "$t" "$rate" "$store" >>"$out/rows.tmp"
}

echo part,format,t,ber,store,images,trials,golden,mean,std,low,high >"$out/rows.tmp"
for format in fp32 fp16 q2.5; do
    protect=,protect=exponent-msb most=1.9999
    [ $format != q2.5 ] || protect= most=1.97
    for rate in $rates; do
        one grid $format none "$rate" "$format$protect" "$@"
        for t in 0.5 1 1.5 $most 2.5 3 3.5 4; do
            one grid $format $t "$rate" "$format,scale=max:$t$protect" "$@"
        done
        one choice $format pow2 "$rate" "$format,scale=pow2$protect" "$@"
        one choice $format auto "$rate" "$format,scale=auto:$rate$protect" "$@"
    done
done
mv "$out/rows.tmp" "$out/results.csv"
for rescale in weights logits fold; do
    for scale in max:1.9999 pow2; do
        if "$stoic" eval "$model" --data "$data" --store "fp32,scale=$scale,rescale=$rescale" \
            --format json --quiet "$@" >"$out/eval.json"; then
            python3 "$here/row.py" rescale fp32 "$scale" "$rescale" <"$out/eval.json"
        else
            echo "rescale=$rescale with scale=$scale: left out, see above" >&2
        fi
    done
done >"$out/rescale.csv"
rm -f "$out/eval.json"
"$stoic" analyze scaling --figure "$out/error.svg" --quiet >"$out/error.txt"
gnuplot -e "folder='$out'" "$here/scaling.gp"
echo "$out/results.csv, $out/scaling.svg, $out/error.svg, $out/rescale.csv"
