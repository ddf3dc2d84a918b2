#!/usr/bin/env python3
"""usage: infer.py [--peers DIR] [--network NAME]... [--store SPEC]... [--turns N] [--batch N]
                [--activations int8]:
protected inference against unprotected, in one run that takes turns.

Stores are run by `stoic infer` on random images, one thread; the figure is user and system time of
the process an image, less that of a run on a single batch, so that loading does not count. Medians
and least of the turns, and their ratio to the first store: `affine:8`, which is 8 bits without a
code, unless stores are given. With
--activations int8 the files are calibrated on the images, and the same is measured beside float32.

With --peers (bench/README.md; a folder with bin/python3 that has onnxruntime, onnx and numpy), and
nothing else: Stoic and onnxruntime in turn on --threads threads, both by the clock, in float32 and
with 8 bits (onnxruntime: QDQ, calibrated on the same images), in batches of 1 and 100.
"""
import argparse
import json
import os
import resource
import statistics
import struct
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
STORES = ["affine:8", "int8", "affine:5,code=msb3", "affine:4,code=msb3", "affine:3,code=msb3",
          "int8,code=secded72", "int8,code=zerospace64"]
SHAPES = {"vgg11-cifar": (3, 32, 32), "alexnet-mnist": (1, 224, 224), "resnet20": (3, 32, 32),
          "lenet5": (1, 28, 28)}
USUAL = ["vgg11-cifar", "alexnet-mnist", "resnet20"]
QUANTISE = """
import sys, numpy
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static
import onnx
x = numpy.load(sys.argv[3])
class Reader(CalibrationDataReader):
    def __init__(self): self.left = list(range(4))
    def get_next(self): return {name: x[self.left.pop():][:1]} if self.left else None
name = onnx.load(sys.argv[1]).graph.input[0].name
quantize_static(sys.argv[1], sys.argv[2], Reader(), quant_format=QuantFormat.QDQ)
"""
PEER = """
import sys, time, numpy, onnxruntime
o = onnxruntime.SessionOptions(); o.intra_op_num_threads = int(sys.argv[4])
s = onnxruntime.InferenceSession(sys.argv[1], o, providers=['CPUExecutionProvider'])
x = numpy.load(sys.argv[2]); b = int(sys.argv[3]); name = s.get_inputs()[0].name
s.run(None, {name: x[:b]}); t = time.perf_counter()
for i in range(0, len(x), b): s.run(None, {name: x[i:i + b]})
print((time.perf_counter() - t) / len(x))
"""


def write_npy(path, descr, shape, data):
    head = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}"
    head += " " * (-(len(head) + 11) % 64) + "\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() + data)


def run(*command):
    """Processor seconds of a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def an_image(stoic, file, folder, images, batch, activations):
    data = f"npy:{folder}/x.npy,{folder}/y.npy"
    common = [stoic, "infer", file, "--data", data, "--batch", str(batch), "--threads", "1",
              "--activations", activations]
    return (run(*common, "--images", str(images + batch)) -
            run(*common, "--images", str(batch))) / images


def by_the_clock(stoic, file, folder, images, batch, activations, threads):
    out = subprocess.run(
        [stoic, "infer", file, "--data", f"npy:{folder}/x.npy,{folder}/y.npy", "--batch",
         str(batch), "--threads", str(threads), "--activations", activations, "--images",
         str(images), "--format", "json"], check=True, capture_output=True, text=True).stdout
    return json.loads(out)["seconds"] / images


def prepare(network, given, folder, n, stores):
    """The network, its images, and its files; those of integers calibrated."""
    stoic, shape = given.stoic, SHAPES[network]
    size = shape[0] * shape[1] * shape[2]
    pixels = [struct.pack("<f", (i * 2654435761 % 2048 - 1024) / 1024) for i in range(size)]
    write_npy(f"{folder}/x.npy", "<f4", (n, *shape), b"".join(pixels) * n)
    write_npy(f"{folder}/y.npy", "<i8", (n,), struct.pack("<q", 0) * n)
    model = f"{folder}/{network}.onnx"
    run(stoic, "new", network, "-o", model)
    for i, store in enumerate(stores):
        calibrate = [] if store.startswith("fp") else [
            "--data", f"npy:{folder}/x.npy,{folder}/y.npy", "--images", "4", "--calibrate", "4"]
        run(stoic, "store", model, "--store", store, "-o", f"{folder}/{i}.stw", *calibrate)
    return model


def measure(network, given, folder):
    images, ways = given.images, ["fp32", "int8"] if given.activations == "int8" else ["fp32"]
    stores = given.store or STORES
    prepare(network, given, folder, max(4, images + given.batch), stores)
    times = {(way, store): [] for way in ways for store in stores}
    for _ in range(given.turns):
        for way, store in times:
            times[way, store].append(an_image(given.stoic, f"{folder}/{stores.index(store)}.stw",
                                              folder, images, given.batch, way))
    print(f"{network}, batches of {given.batch}, {images} images, {given.turns} turns, one thread")
    for way in ways:
        base, least = statistics.median(times[way, stores[0]]), min(times[way, stores[0]])
        print(f" activations {way}")
        for store in stores:
            middle, low = statistics.median(times[way, store]), min(times[way, store])
            print(f"  {store:24} {1e3 * middle:9.3f} ms an image {middle / base:6.2f} of "
                  f"{stores[0]}   least {1e3 * low:9.3f} {low / least:6.2f}")
    sys.stdout.flush()


def has_onnxruntime(peers):
    return subprocess.run([f"{peers}/bin/python3", "-c", "import numpy, onnx, onnxruntime"],
                          capture_output=True).returncode == 0


def beside_peer(network, given, folder):
    stores = ["fp32", "int8", "affine:5,code=msb3"]
    images, threads = given.images, str(given.threads)
    python = f"{given.peers}/bin/python3"
    model = prepare(network, given, folder, max(100, images), stores)
    run(python, "-c", QUANTISE, model, f"{folder}/qdq.onnx", f"{folder}/x.npy")
    sides = [("fp32", 0, "fp32"), ("affine:5,code=msb3", 2, "fp32"), ("int8", 1, "int8"),
             ("affine:5,code=msb3", 2, "int8")]
    for batch in 1, 100:
        n = max(images, batch)
        times = {side: [] for side in sides}
        peers = {"fp32": [], "int8": []}
        for _ in range(given.turns):
            for side in sides:
                times[side].append(by_the_clock(given.stoic, f"{folder}/{side[1]}.stw", folder,
                                                n, batch, side[2], given.threads))
            for way, file in ("fp32", model), ("int8", f"{folder}/qdq.onnx"):
                peers[way].append(float(subprocess.run(
                    [python, "-c", PEER, file, f"{folder}/x.npy", str(batch), threads], check=True,
                    capture_output=True, text=True).stdout))
        print(f"{network}, batches of {batch}, {n} images, {given.turns} turns, {threads} threads")
        for name, i, way in sides:
            mine = statistics.median(times[name, i, way])
            theirs = statistics.median(peers[way])
            print(f"  {name + ', ' + way + ' activations':40} {1e3 * mine:9.3f} ms an image, "
                  f"onnxruntime {way} {1e3 * theirs:9.3f}, ratio {mine / theirs:6.2f}")
    sys.stdout.flush()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stoic", default=f"{ROOT}/build/cli/stoic")
    parser.add_argument("--peers")
    parser.add_argument("--network", action="append", choices=list(SHAPES))
    parser.add_argument("--store", action="append", help="without --peers; the first is the measure")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--images", type=int, default=20)
    parser.add_argument("--activations", choices=["fp32", "int8"], default="fp32")
    parser.add_argument("--threads", type=int, default=2, help="with --peers")
    given = parser.parse_args()
    if given.peers and not has_onnxruntime(given.peers):
        print(f"{given.peers}/bin/python3 has no onnxruntime, onnx and numpy: nothing is compared")
        return
    for network in given.network or USUAL:
        with tempfile.TemporaryDirectory() as folder:
            (beside_peer if given.peers else measure)(network, given, folder)


if __name__ == "__main__":
    main()
