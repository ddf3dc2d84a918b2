# layers that differ: one spelling, sizes of each, the same counts by either engine
store='affine:5,code=msb3/conv1=fp16,protect=exponent-msb/4=int8,code=secded72/fc2=int8,code=secded72'
stoic store models/lenet5-fashion-mnist.onnx --store "$store" | sed '/^time/d'
inject() {
    stoic inject models/lenet5-fashion-mnist.onnx --data fashion-mnist --images 200 --store "$store" \
        --fault ber:1e-3 --trials 3 --quiet "$@" > /dev/null
}
inject -o auto.db
inject -o full.db --engine full
stoic records auto.db --format csv > auto.csv
stoic records full.db --format csv > full.csv
cmp auto.csv full.csv && echo same
stoic records auto.db --sites --format csv | awk -F, 'NR > 1 { n[$3 " " $NF]++ } END { for (k in n) print k, n[k] }' | sort
stoic replay auto.db --trial 1 | tail -1
# a layer that is protected as a whole is named
stoic inject models/lenet5-fashion-mnist.onnx --data fashion-mnist --images 5 --fault flips:1 --store fp32/4=fp32,protect=all -o no.db; echo $?
