# From new to tested, without telling eval how images are prepared.
stoic new lenet5 --seed 3 -o new.onnx >/dev/null
stoic train new.onnx --data fashion-mnist --images 5000 --epochs 3 --batch 32 --lr 0.02 -o net.onnx >/dev/null
stoic eval net.onnx --data fashion-mnist | grep preprocessing
python3 - <<'END'
import json, subprocess
def accuracy(name):
    done = subprocess.run(["stoic", "eval", name, "--data", "fashion-mnist", "--format", "json"],
                          check=True, capture_output=True)
    return json.loads(done.stdout)["accuracy"]
curve = [float(line.split(",")[3]) for line in open("net.csv").readlines()[1:]]
print(accuracy("new.onnx") < 0.3, accuracy("net.onnx") > 0.6)
print(accuracy("net.onnx") == curve[-1], accuracy("net.best.onnx") == max(curve))
END
