# what reading costs: measured, so only the keys and their order of size are looked at
look() {
    stoic store models/lenet5-fashion-mnist.onnx --data fashion-mnist --images 4 --time --format json "$@" |
        python3 -c '
import json, sys
row = json.load(sys.stdin)
for key in "decode_seconds image_seconds time_ratio".split():
    print(key, "none" if row[key] is None else "above 0" if row[key] > 0 else "0")
print("time_reference", row["time_reference"])
print("time_note", row["time_note"])
ratio = row["time_ratio"]
assert ratio is None or 0.1 < ratio < 10'
}
look --store affine:5,code=msb3
look --store fp64
stoic store models/lenet5-fashion-mnist.onnx --store int8 --time
stoic store models/lenet5-fashion-mnist.onnx --store int8 --data fashion-mnist --images 4 --time |
    sed -nE 's/ [0-9.e-]+ (ms|times)/ N \1/g; /^(decoding|an image)/p'
