stoic info models/lenet5-fashion-mnist.onnx --bits 30+24-23 --format json -o out.json
python3 - <<'END'
import json
data = json.load(open("out.json"))
print(*data)
print(*data["layers"][0])
print({key: data[key] for key in ("model", "parameters", "stored_bits", "macs")})
print(*((layer["name"], layer["bits"], layer["output"]) for layer in data["layers"]))
print(data["bits"]["field"], [one["bit"] for one in data["bits"]["ones"]],
      sum(one["count"] for one in data["bits"]["values"]))
END
