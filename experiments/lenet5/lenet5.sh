#!/bin/sh
# usage: experiments/lenet5/lenet5.sh [FOLDER]
#
# Trains the case study's LeNet-5 on MNIST with ReLU, with Sigmoids and with average pooling, hits
# each with 20 exponent flips in conv1 and in conv2, and leaves in FOLDER (default: lenet5-mnist) the
# networks with their curves, the campaigns, report.html and results.csv. What is there already is
# continued, not run again. STOIC_DATA names the folder that has mnist/ in it; TRIALS, EPOCHS and
# TRAIN_IMAGES make a trial run short.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
stoic=${STOIC:-$here/../../build/stoic}
out=${1:-lenet5-mnist}
trials=${TRIALS:-100}
epochs=${EPOCHS:-10}
began=$(date +%s)
mkdir -p "$out"

step() {
    printf '[%4d s] %s\n' $(($(date +%s) - began)) "$1"
}

stop() {
    echo "lenet5: stopped; what is done is kept, 'rm -r $out' starts afresh" >&2
    exit 1
}

# train NAME NETWORK RATE: the paper's recipe; momentum and loss are our assumptions.
train() {
    [ -e "$out/$1.onnx" ] && return
    "$stoic" new "$2" --seed 0 -o "$out/$1.untrained" > "$out/$1.log" || stop
    "$stoic" train "$out/$1.untrained" --data mnist:train --test mnist:test \
        ${TRAIN_IMAGES:+--images "$TRAIN_IMAGES"} --epochs "$epochs" --batch 4 --lr "$3" \
        --momentum 0.9 --schedule none --loss bce --seed 0 --best none \
        --checkpoint "$out/$1.checkpoint" --resume -o "$out/$1.onnx" >> "$out/$1.log" || stop
}

step "LeNet-5, ReLU and max pooling ($epochs epochs)"
train relu lenet5 0.001
step 'Sigmoid instead of ReLU'
train sigmoid lenet5,activation=sigmoid,init=xavier:4 0.01
step 'average pooling instead of max pooling'
train avgpool lenet5,pooling=average 0.001

for network in relu sigmoid avgpool; do
    for layer in conv1 conv2; do
        step "20 exponent flips in $layer, $network ($trials trials)"
        # Printed by inject: a line of names, a line of values.
        "$stoic" inject "$out/$network.onnx" --data mnist:test \
            --fault "flips:20,layer=$layer,bits=exponent" --trials "$trials" --seed 0 \
            -o "$out/$network-$layer.db" --format csv > "$out/$network-$layer.csv" || stop
    done
done

# A trial that loses more than 0.1 is a dip. The fault in inject's line is quoted and has commas, so
# columns are counted from the end.
step 'the report'
{
    echo network,layer,trials,images,accuracy_without_faults,mean,low,high,lowest,dips
    for network in relu sigmoid avgpool; do
        for layer in conv1 conv2; do
            dips=$("$stoic" records "$out/$network-$layer.db" --format csv | awk -F, '
                NR == 1 { for (i = 1; i <= NF; i++) column[$i] = i; next }
                $column["drop"] > 0.1 { n++ }
                END { print n + 0 }')
            awk -F, -v start="$network,$layer" -v dips="$dips" '
                NR == 1 { for (i = 1; i <= NF; i++) back[$i] = NF - i; next }
                function value(name) { return $(NF - back[name]) }
                { OFS = ","
                  print start, value("trials"), value("images"), value("golden.accuracy"),
                      value("accuracy.mean"), value("accuracy.low"), value("accuracy.high"),
                      value("accuracy.min"), dips }' "$out/$network-$layer.csv"
        done
    done
} > "$out/results.csv"
set --
for network in relu sigmoid avgpool; do
    set -- "$@" "$out/$network-conv1.db" "$out/$network-conv2.db"
done
"$stoic" report "$@" -o "$out/report.html" --figures "$out/figures" \
    --notes "$here/lenet5-notes.tsv" \
    --title 'LeNet-5 on MNIST: activations, pooling and 20 exponent flips' || stop

awk -F, '
    NR == 1 { printf "\n%-8s  %-5s  %8s  %8s  %8s  %s\n", "network", "layer", "no fault", "mean",
                  "lowest", "trials that lose > 10 points"; next }
    { printf "%-8s  %-5s  %8.4f  %8.4f  %8.4f  %d of %d\n", $1, $2, $5, $6, $9, $10, $3 }
' "$out/results.csv"
printf '\n%d s in all. %s/report.html, %s/results.csv\n' $(($(date +%s) - began)) "$out" "$out"
