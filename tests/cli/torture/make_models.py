#!/usr/bin/python3
"""Write the ONNX files that bad_models.sh reads into the current folder: GOOD.onnx, and others
that differ from it in the one thing their name says."""
import os
import random

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

RANDOM = np.random.RandomState(5)
CONV = (RANDOM.randn(3, 1, 5, 5) * 0.2).astype(np.float32)
GEMM = (RANDOM.randn(10, 432) * 0.1).astype(np.float32)


def graph_parts(conv=CONV, gemm=GEMM, bias=None):
    """Conv, Relu, MaxPool, Flatten, Gemm on 1x28x28 images."""
    bias = np.zeros(10, np.float32) if bias is None else bias
    nodes = [
        helper.make_node("Conv", ["image", "conv.weight"], ["c"], name="conv"),
        helper.make_node("Relu", ["c"], ["r"], name="relu"),
        helper.make_node("MaxPool", ["r"], ["p"], name="pool", kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Flatten", ["p"], ["f"], name="flatten"),
        helper.make_node("Gemm", ["f", "gemm.weight", "gemm.bias"], ["logits"], name="gemm",
                         transB=1),
    ]
    constants = [numpy_helper.from_array(conv, "conv.weight"),
                 numpy_helper.from_array(gemm, "gemm.weight"),
                 numpy_helper.from_array(bias, "gemm.bias")]
    return nodes, constants


def save(name, nodes, constants, shape=("N", 1, 28, 28), outputs=10):
    inputs = [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)]
    results = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", outputs])]
    model = helper.make_model(helper.make_graph(nodes, "g", inputs, results, constants),
                              opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.save(model, name + ".onnx")


def changed(name, change, **options):
    nodes, constants = graph_parts()
    change(nodes, constants)
    save(name, nodes, constants, **options)


def with_external(name, location, offset=None, length=None):
    """gemm.weight lies in another file."""
    def change(_, constants):
        tensor = constants[1]
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        entries = {"location": location, "offset": offset, "length": length}
        for key, value in entries.items():
            if value is not None:
                tensor.external_data.add(key=key, value=str(value))
    changed(name, change)


def external_files():
    GEMM.tofile("weights.bin")
    GEMM.tofile("../outside.bin")
    GEMM[:5].tofile("short.bin")
    if not os.path.islink("link.bin"):
        os.symlink("../outside.bin", "link.bin")
    os.makedirs("folder.bin", exist_ok=True)
    with_external("external", "weights.bin")
    with_external("external_missing", "nowhere.bin")
    with_external("external_parent", "../outside.bin")
    with_external("external_absolute", os.path.abspath("weights.bin"))
    with_external("external_link", "link.bin")
    with_external("external_short", "short.bin")
    with_external("external_offset", "weights.bin", 1 << 62)
    with_external("external_negative", "weights.bin", -4)
    with_external("external_length", "weights.bin", 0, 17)
    with_external("external_folder", "folder.bin")
    with_external("external_device", "/dev/zero")
    with_external("external_empty", "")


def graphs():
    def cycle(nodes, _):
        nodes[1].input[0] = "f"
    changed("cycle", cycle)
    changed("self_loop", lambda n, _: n[1].input.__setitem__(0, "r"))
    changed("missing_input", lambda n, _: n[1].input.__setitem__(0, "nothing"))
    changed("missing_constant", lambda _, c: c.pop(1))
    changed("twice_made", lambda n, _: n[1].output.__setitem__(0, "c"))
    changed("no_nodes", lambda n, _: n.clear())
    changed("no_output", lambda n, _: n.pop())
    changed("unknown_operator", lambda n, _: setattr(n[1], "op_type", "Frobnicate"))

    def unknown_domain(nodes, _):
        nodes[1].domain = "org.nowhere"
    changed("unknown_domain", unknown_domain)
    changed("no_operator", lambda n, _: setattr(n[1], "op_type", ""))

    def bad_stride(nodes, _):
        nodes[2].attribute[1].ints[0] = 0
    changed("zero_stride", bad_stride)

    def huge_kernel(nodes, _):
        nodes[2].attribute[0].ints[0] = 1 << 40
    changed("huge_kernel", huge_kernel)

    def negative_pads(nodes, _):
        nodes[2].attribute.append(helper.make_attribute("pads", [-1, 0, 0, 0]))
    changed("negative_pads", negative_pads)

    def wrong_attribute(nodes, _):
        nodes[2].attribute[0].CopyFrom(helper.make_attribute("kernel_shape", "two"))
    changed("wrong_attribute", wrong_attribute)

    def split_outputs(nodes, _):
        nodes[1].output.append("second")
    changed("two_outputs", split_outputs)


def shapes():
    nodes, constants = graph_parts(gemm=GEMM[:, :400].copy())
    save("shape_gemm", nodes, constants)
    nodes, constants = graph_parts(bias=np.zeros(7, np.float32))
    save("shape_bias", nodes, constants)
    nodes, constants = graph_parts(conv=np.zeros((3, 2, 5, 5), np.float32))
    save("shape_conv", nodes, constants)
    nodes, constants = graph_parts(conv=np.zeros((3, 1, 50, 50), np.float32))
    save("shape_kernel", nodes, constants)
    # No weight depends on the size of this one's images.
    pooled = [helper.make_node("GlobalAveragePool", ["image"], ["p"]),
              helper.make_node("Conv", ["p", "w"], ["c"]), helper.make_node("Flatten", ["c"], ["logits"])]
    save("giga_pooled", pooled, [numpy_helper.from_array(np.ones((10, 1, 1, 1), np.float32), "w")],
         shape=("N", 1, 31623, 31623))
    changed("giga_input", lambda n, c: None, shape=("N", 1, 1000000000, 1))
    changed("giga_square", lambda n, c: None, shape=("N", 1, 31623, 31623))
    changed("overflow_input", lambda n, c: None, shape=("N", 1, 1 << 40, 1 << 40))
    changed("negative_input", lambda n, c: None, shape=("N", 1, -28, 28))
    changed("zero_input", lambda n, c: None, shape=("N", 1, 0, 28))
    changed("free_size", lambda n, c: None, shape=("N", 1, "H", "W"))
    changed("claims_outputs", lambda n, c: None, outputs=11)


def weights():
    def count(_, constants):
        constants[1].raw_data = constants[1].raw_data[:-4]
    changed("weights_few", count)
    changed("weights_many", lambda _, c: setattr(c[1], "raw_data", c[1].raw_data + b"\0" * 4))
    changed("weights_none", lambda _, c: c[1].ClearField("raw_data"))
    changed("weights_odd", lambda _, c: setattr(c[1], "raw_data", c[1].raw_data[:-1]))

    def dims(value):
        return lambda _, c: c[1].dims.__setitem__(0, value)
    changed("weights_negative", dims(-10))
    changed("weights_overflow", dims(1 << 62))
    changed("weights_type", lambda _, c: setattr(c[1], "data_type", TensorProto.STRING))
    changed("weights_unknown_type", lambda _, c: setattr(c[1], "data_type", 99))
    for name, value in ("nan", np.nan), ("inf", np.inf):
        conv, gemm = CONV.copy(), GEMM.copy()
        conv[1, 0, 2, 3] = value
        gemm[4, 7] = -value
        nodes, constants = graph_parts(conv=conv, gemm=gemm)
        save("weights_" + name, nodes, constants)


def length_of(data):
    """The length of a field as a varint."""
    length, encoded = len(data), b""
    while length > 127:
        encoded += bytes([length & 127 | 128])
        length >>= 7
    return encoded + bytes([length])


def broken_bytes():
    with open("good.onnx", "rb") as stream:
        good = stream.read()
    random.seed(7)
    with open("empty.onnx", "wb"):
        pass
    for i, size in enumerate((1, 2, 3, 17, 100, 1000, len(good) // 2, len(good) - 1)):
        with open(f"truncated{i}.onnx", "wb") as stream:
            stream.write(good[:size])
    for i in range(8):
        with open(f"random{i}.onnx", "wb") as stream:
            stream.write(bytes(random.randrange(256) for _ in range(1 << i * 2)))
    varint = b"\xff" * 9 + b"\x01"  # 2^64 - 1
    for i, field in enumerate((b"\x3a", b"\x12", b"\x42", b"\x72")):
        with open(f"huge{i}.onnx", "wb") as stream:
            stream.write(b"\x08\x08" + field + varint + b"x" * 50)
        with open(f"huge{i + 4}.onnx", "wb") as stream:
            stream.write(b"\x08\x08" + field + b"\xff\xff\xff\xff\x07" + b"x" * 50)
    # A graph in an attribute of a node of a graph ...
    inner = b""
    for level in range(6000):
        for tag in (b"\x32", b"\x2a", b"\x0a") if level else (b"\x0a",):
            inner = tag + length_of(inner) + inner
    with open("nested.onnx", "wb") as stream:
        stream.write(b"\x08\x08\x42\x02\x10\x0d\x3a" + length_of(inner) + inner)
    # One byte changed, one at a time, over the head of the file and at random.
    os.makedirs("mutants", exist_ok=True)
    for i in range(60):
        mutant = bytearray(good)
        at = random.randrange(len(good) - 900, len(good)) if i % 2 else random.randrange(120)
        mutant[at] = random.randrange(256)
        with open(f"mutants/{i}.onnx", "wb") as stream:
            stream.write(mutant)


np.save("images.npy", RANDOM.randint(0, 256, (4, 1, 28, 28)).astype(np.uint8))
np.save("labels.npy", np.arange(4))
nodes_good, constants_good = graph_parts()
save("good", nodes_good, constants_good)
external_files()
graphs()
shapes()
weights()
broken_bytes()
