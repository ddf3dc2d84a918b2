#!/usr/bin/env python3
"""usage: infer.py [--peers DIR] [--network NAME]... [--turns N] [--batch N]: protected inference
against unprotected, in one run that takes turns.

Stores are run by `stoic infer` on random images, one thread; the figure is user and system time of
the process an image, less that of a run on a single batch, so that loading does not count. Medians
and least of the turns, and their ratio to `affine:8`, which is 8 bits without a code. With --peers (bench/README.md)
also onnxruntime in float32 on one thread, by its own clock.
"""
import argparse
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
SHAPES = {"vgg11-cifar": (3, 32, 32), "alexnet-mnist": (1, 224, 224), "resnet20": (3, 32, 32)}
PEER = """
import sys, time, numpy, onnxruntime
o = onnxruntime.SessionOptions(); o.intra_op_num_threads = 1
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


def an_image(stoic, file, folder, images, batch):
    data = f"npy:{folder}/x.npy,{folder}/y.npy"
    common = [stoic, "infer", file, "--data", data, "--batch", str(batch), "--threads", "1"]
    return (run(*common, "--images", str(images + batch)) -
            run(*common, "--images", str(batch))) / images


def measure(network, given, folder):
    stoic, images = given.stoic, given.images
    shape = SHAPES[network]
    size, n = shape[0] * shape[1] * shape[2], images + given.batch
    pixels = [struct.pack("<f", (i * 2654435761 % 2048 - 1024) / 1024) for i in range(size)]
    write_npy(f"{folder}/x.npy", "<f4", (n, *shape), b"".join(pixels) * n)
    write_npy(f"{folder}/y.npy", "<i8", (n,), struct.pack("<q", 0) * n)
    model = f"{folder}/{network}.onnx"
    run(stoic, "new", network, "-o", model)
    for i, store in enumerate(STORES):
        run(stoic, "store", model, "--store", store, "-o", f"{folder}/{i}.stw")
    times = {store: [] for store in STORES}
    peer = []
    for _ in range(given.turns):
        for i, store in enumerate(STORES):
            times[store].append(an_image(stoic, f"{folder}/{i}.stw", folder, images, given.batch))
        if given.peers:
            peer.append(float(subprocess.run(
                [f"{given.peers}/bin/python3", "-c", PEER, model, f"{folder}/x.npy",
                 str(given.batch)], check=True, capture_output=True, text=True).stdout))
    base, least = statistics.median(times[STORES[0]]), min(times[STORES[0]])
    print(f"{network}, batches of {given.batch}, {images} images, {given.turns} turns, one thread")
    for store in STORES:
        middle = statistics.median(times[store])
        print(f"  {store:24} {1e3 * middle:9.3f} ms an image {middle / base:6.2f} of {STORES[0]}"
              f"   least {1e3 * min(times[store]):9.3f} {min(times[store]) / least:6.2f}")
    if peer:
        print(f"  {'onnxruntime fp32':24} {1e3 * statistics.median(peer):9.3f} ms an image "
              f"{statistics.median(peer) / base:6.2f} of {STORES[0]}")
    for i in range(len(STORES)):
        os.remove(f"{folder}/{i}.stw")
    sys.stdout.flush()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stoic", default=f"{ROOT}/build/cli/stoic")
    parser.add_argument("--peers")
    parser.add_argument("--network", action="append", choices=list(SHAPES))
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--images", type=int, default=20)
    given = parser.parse_args()
    for network in given.network or SHAPES:
        with tempfile.TemporaryDirectory() as folder:
            measure(network, given, folder)


if __name__ == "__main__":
    main()
