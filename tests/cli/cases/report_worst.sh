# each weight's worst bit, and layer by bit, against what the records say
stoic inject models/lenet5-fashion-mnist.onnx --data fashion-mnist --images 20 --quiet \
    --fault exhaustive,layer=4,bits=24-31 -o run.db > /dev/null
stoic report run.db --figures figures -o page.html; echo $?
ls figures
stoic records run.db --format csv > trials.csv
# fc3 has 84 weights a channel, and its trials come in the order of weights and bits
awk -F, 'NR == FNR { if (FNR > 1) { if ($12 > most[$3 + 0]) { most[$3 + 0] = $12; bit[$3 + 0] = $4 } } next }
    FNR > 1 { n++; i = $2 * 84 + $3; want = most[i] ? bit[i] : -1
        wrong += $4 != want || ($5 * 20 - most[i]) ^ 2 > 1e-9 }
    END { print n " weights, " wrong + 0 " wrong" }' trials.csv figures/worst-bit.csv
awk -F, 'NR == FNR { if (FNR > 1) { critical[$4] += $12 } next }
    FNR > 1 { n++; wrong += ($5 * 20 * 840 - critical[$3]) ^ 2 > 1e-9 || $4 != 840 }
    END { print n " bits, " wrong + 0 " wrong" }' trials.csv figures/map.csv
# every fault was run: rates without intervals, each figure with words of its own
grep -o '<span class="s">exact' page.html | wc -l
grep -o 'Every fault was run: rates are exact' page.html
grep -o 'with its interval' page.html
grep -o ';[^;]*markers are means over the weights of a layer' page.html
grep -o 'small markers' page.html
grep -o 'The worst bit is bit\|In the mean over weights the worst bit' page.html
cmp figures/worst-bit.csv figures/worst-rate.csv
grep -o 'data:image/png;base64' figures/worst-bit.svg
grep -o 'Rows are output channels' page.html
cp run.db alone.db && cd figures && stoic report ../alone.db -o ../other.html # the network is not found
grep -o 'the network was not found' ../other.html
