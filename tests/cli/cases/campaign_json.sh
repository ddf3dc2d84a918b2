stoic inject models/lenet5-fashion-mnist.onnx --data fashion-mnist --images 50 --trials 20 \
    --fault flips:1,bits=sign --by layer --format json -o run.db >out.json
python3 - <<'END'
import json
data = json.load(open("out.json"))
print(*data)
for key in ("golden", "accuracy", "drop", "outcomes", "critical_rate"):
    print(key, *data[key])
print(*data["groups"][0])
print(data["model"], data["trials"], data["images"], data["stopped"], data["fault"])
END
stoic inject models/lenet5-fashion-mnist.onnx --data fashion-mnist --images 50 --trials 20 \
    --fault flips:1,bits=sign --by bit --format csv -o run.db | cut -d, -f1-4
