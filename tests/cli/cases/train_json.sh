stoic train models/lenet5-fashion-mnist.onnx --data fashion-mnist --images 600 --test-images 200 \
    --epochs 2 --lr 0.01 --format json -o trained.onnx >out.json
python3 - <<'END'
import json
data = json.load(open("out.json"))
print(*data)
for epoch in data["epochs"]:
    print(epoch["epoch"], *epoch, all(isinstance(value, (int, float)) for value in epoch.values()))
    print(0 < epoch["loss"] < 3, 0.5 < epoch["train_accuracy"] <= 1, 0.5 < epoch["test_accuracy"] <= 1)
best = max(data["epochs"], key=lambda epoch: (epoch["test_accuracy"], -epoch["epoch"]))
print(*data["best"], data["best"]["epoch"] == best["epoch"],
      data["best"]["accuracy"] == best["test_accuracy"], data["best"]["file"])
for key in ("model", "output", "data", "images", "test", "test_images", "curves", "picture"):
    print(key, data[key])
print(*data["preprocessing"])
END
# Without a test set there is nothing to be best.
stoic train models/lenet5-fashion-mnist.onnx --data fashion-mnist:test --images 600 --epochs 1 \
    --lr 0.01 --format json -o untested.onnx >out.json
python3 - <<'END'
import json
data = json.load(open("out.json"))
print(data["data"], data["test"], data["test_images"], data["best"],
      data["epochs"][0]["test_accuracy"])
END
ls
