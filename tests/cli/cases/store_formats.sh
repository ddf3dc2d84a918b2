stoic store models/lenet5-fashion-mnist.onnx --store affine:3,code=msb3 --data fashion-mnist \
    --images 200 --format json >store.json
python3 - <<'END'
import json
data = json.load(open("store.json"))
print(*data)
for key in ("store", "weights", "bits_per_weight", "total_bits", "padding_bits", "side_bits",
            "memory_ratio", "corrects", "detects", "clamped", "outside", "sparse", "accuracy"):
    print(key, data[key])
assert data["bits_per_weight"] == data["total_bits"] / data["weights"]
print(*data["layers"][2].items())
END
stoic store models/lenet5-fashion-mnist.onnx --store q2.5,scale=max:1.97 --format csv | cut -d, -f1-17
