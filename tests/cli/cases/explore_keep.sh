one() {
    stoic explore models/lenet5-fashion-mnist.onnx --data fashion-mnist --images 100 \
        --store 'affine:{M},code=msb3' --width 3-4 --ber 1e-3 --all --keep kept --format csv "$@" |
        python3 -c '
import csv, sys
for row in csv.DictReader(sys.stdin):
    print(*(row[k] for k in "store width ber bits accuracy drop drop_low memory trials".split()))'
}
one --trials 3
ls kept
one --trials 3 --threads 1 >again.txt
one --trials 3 | cmp - again.txt
one --trials 4 | cut -d' ' -f1,9
one --trials 3 --seed 1
