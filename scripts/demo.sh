#!/bin/sh
# The LeNet-5 case study: campaigns into demo/, a short table, and demo/report.html.
# Called by `make demo` after the build. What is there already is continued, not run again.
set -eu
cd "$(dirname "$0")/.."

stoic=${STOIC:-build/stoic}
model=models/lenet5-fashion-mnist.onnx
out=demo
layers="conv1 conv2 fc1 fc2 fc3"
weights="500 25000 96000 10080 840"
mkdir -p $out

# campaign NAME FAULT TRIALS [MODEL]
campaign() {
    "$stoic" inject "${4:-$model}" --data fashion-mnist --fault "$2" --trials "$3" -o "$out/$1.db" \
        --format csv > /dev/null && return
    echo "demo: stopped; what is done is kept, 'rm -r $out' starts afresh" >&2
    exit 1
}

# Every bit of five weights a layer, evenly spread over its tensor.
list_bits() {
    echo layer,index,bit
    layer=0
    for n in $weights; do
        for k in 1 3 5 7 9; do
            bit=0
            while [ $bit -lt 32 ]; do
                echo "$layer,$((n * k / 10)),$bit"
                bit=$((bit + 1))
            done
        done
        layer=$((layer + 1))
    done
}

step() {
    printf '[%2d s] %s\n' $(($(date +%s) - began)) "$1"
}

began=$(date +%s)
step 'every bit of five weights a layer (800 trials)'
list_bits > $out/bits.csv
campaign bits "list:$out/bits.csv" 800

step '1, 10 and 20 flips in each layer (100 trials each)'
layer=0
for name in $layers; do
    for n in 1 10 20; do
        campaign "$name-flips-$n" "flips:$n,layer=$layer" 100
    done
    layer=$((layer + 1))
done

step 'flips in the exponent, the sign or the mantissa alone (100 trials each)'
layer=0
for name in $layers; do
    for n in 1 10 20; do
        campaign "$name-exponent-$n" "flips:$n,layer=$layer,bits=exponent" 100
    done
    campaign "$name-sign" "flips:1,layer=$layer,bits=sign" 100
    campaign "$name-mantissa" "flips:1,layer=$layer,bits=mantissa" 100
    layer=$((layer + 1))
done

step '20 exponent flips with Sigmoids for ReLU, and with average pooling (100 trials each)'
for variant in sigmoid avgpool; do
    for layer in 0 1; do
        campaign "variant-$variant-conv$((layer + 1))-exponent-20" \
            "flips:20,layer=$layer,bits=exponent" 100 models/lenet5-$variant.onnx
    done
done

step '2,000 single flips in conv1 and in fc3'
campaign conv1-scatter flips:1,layer=0 2000
campaign fc3-scatter flips:1,layer=4 2000

step 'the report'
"$stoic" report $out/*.db -o $out/report.html --figures $out/figures --model $model \
    --notes scripts/demo-notes.tsv --title 'Bit flips in LeNet-5: a case study run again'

# ---- the table: from the records ----

# summary FILE: mean and lowest accuracy of its trials
summary() {
    "$stoic" records "$1" --format csv | awk -F, '
        NR == 1 { for (i = 1; i <= NF; i++) column[$i] = i; next }
        { a = $column["accuracy"]; sum += a; if (NR == 2 || a < least) least = a }
        END { printf "%7.4f %7.4f", sum / (NR - 1), least }'
}

printf '\naccuracy       1 flip           10 flips         20 flips\n'
printf '%-6s' layer
for n in 1 10 20; do printf '   %7s %7s' mean lowest; done
printf '\n'
for name in $layers; do
    printf '%-6s' "$name"
    for n in 1 10 20; do
        printf '   '
        summary "$out/$name-flips-$n.db"
    done
    printf '\n'
done

printf '\n20 exponent flips       conv1            conv2\n'
printf '%-17s   %7s %7s   %7s %7s\n' network mean lowest mean lowest
for network in ReLU,max variant-sigmoid variant-avgpool; do
    prefix=$network-
    [ $network = ReLU,max ] && prefix=
    printf '%-17s' "${network#variant-}"
    for name in conv1 conv2; do
        printf '   '
        summary "$out/$prefix$name-exponent-20.db"
    done
    printf '\n'
done

printf '\nsingle flips   trials   lose > 10 points   of these in bit 30\n'
for name in conv1 fc3; do
    "$stoic" records "$out/$name-scatter.db" --format csv | awk -F, -v name=$name '
        NR == 1 { for (i = 1; i <= NF; i++) column[$i] = i; next }
        $column["drop"] > 0.1 { hard++; if ($column["bit"] == 30) top++ }
        END {
            printf "%-12s %8d   %16d   %18s\n", name, NR - 1, hard,
                hard ? sprintf("%.1f %%", 100 * top / hard) : "-"
        }'
done
printf '\n%d s in all. The report: %s/report.html\n' $(($(date +%s) - began)) "$(pwd)/$out"
