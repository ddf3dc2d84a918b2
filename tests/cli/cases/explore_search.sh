stoic explore models/lenet5-fashion-mnist.onnx --data fashion-mnist --images 200 \
    --store 'affine:{M},code=msb3' --width 2-8 --ber 1e-4,1e-3 --trials 5 \
    --min-accuracy 0.85 --max-drop 0.05 --format json >found.json
python3 - <<'END'
import json
found = json.load(open("found.json"))
print(*found)
print("chosen", found["chosen"], "baseline", found["baseline"], "time", found["time"])
for probe in found["probed"]:
    print(*(f"{k}={round(v, 6) if isinstance(v, float) else v}" for k, v in probe.items()))
print(*found["rows"][0])
base = found["rows"][0]
for row in found["rows"]:
    print(row["store"], row["kind"], row["width"], row["ber"], row["bits"], row["accuracy"],
          round(row["drop"], 6), row["memory"], "%.6g" % row["p_drop"])
    ratio = row["image_seconds"] / base["image_seconds"]
    assert row["time_source"] == "runtime" and row["decode_seconds"] > 0
    assert ratio / 5 < row["time"] < ratio * 5
    assert row["store"] != base["store"] or row["time"] == 1
    assert abs(row["rap"] - row["drop"] * row["memory"] * row["time"]) < 1e-12
    assert row["drop_low"] <= row["drop"] <= row["drop_high"]
END
ls
