train() {
    stoic train models/lenet5-fashion-mnist.onnx --data fashion-mnist --images 300 --epochs 1 "$@" -o y.onnx
    echo $?
}
train --schedule sine
train --schedule step:0:0.1
train --schedule step:10
train --augment crop,flp
train --augment crop:x
train --fault flops:1
train --store fp31
train --images 100
train --test fashion-mnist:tset
python3 - <<'END'
import struct
def write(name, magic, dims, data):
    with open(name, "wb") as out:
        out.write(struct.pack(">I", magic) + b"".join(struct.pack(">I", d) for d in dims) + data)
write("images", 0x803, (40, 28, 28), bytes(40 * 784))
write("labels", 0x801, (40,), bytes(i % 12 for i in range(40)))
END
stoic train models/lenet5-fashion-mnist.onnx --data idx:images,labels --batch 4 -o y.onnx; echo $?
# The classes of the test folder have other numbers than those of the training folder.
for set in train test; do
    for class in 0 1 2 3 4 5 6 7 8 9; do
        mkdir -p $set/$class
        python3 - $set/$class/image.png <<'END'
import struct, sys, zlib
def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
with open(sys.argv[1], "wb") as out:
    out.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 28, 28, 8, 0, 0, 0, 0)) +
              chunk(b"IDAT", zlib.compress(bytes(29) * 28)) + chunk(b"IEND", b""))
END
    done
done
mv test/3 test/other
stoic train models/lenet5-fashion-mnist.onnx --data dir:train --test dir:test --batch 4 -o y.onnx; echo $?
# Joins of more inputs than are trained through: every such operator is named.
/usr/bin/python3 - <<'END'
import numpy as np, onnx
from onnx import TensorProto, helper, numpy_helper
nodes = [helper.make_node("Flatten", ["image"], ["f"], name="flat")]
for name in "left", "right":
    nodes.append(helper.make_node("Concat", ["f"] * 70, [name], name=name, axis=1))
nodes += [helper.make_node("Add", ["left", "right"], ["s"], name="sum"),
          helper.make_node("Gemm", ["s", "w"], ["logits"], name="gemm", transB=1)]
graph = helper.make_graph(
    nodes, "g", [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 1, 28, 28])],
    [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 10])],
    [numpy_helper.from_array(np.zeros((10, 784 * 70), np.float32), "w")])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
model.ir_version = 8
onnx.save(model, "wide.onnx")
END
stoic train wide.onnx --data fashion-mnist --images 300 -o y.onnx; echo $?
ls
