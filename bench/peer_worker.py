"""What the peer programs share: data, resources, and the protocol with compare.py.

A worker loads and warms up, prints one JSON line ("ready"), and then runs once for every line it
reads, printing the seconds of each run. So compare.py can alternate A and B on a quiet machine.
"""
import argparse
import gzip
import json
import resource
import sys
import time

import numpy as np


def arguments(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("model", help="ONNX file")
    parser.add_argument("--images", required=True, help="npy (uint8 NxCxHxW) or idx, may be gzipped")
    parser.add_argument("--labels", required=True)
    parser.add_argument("--mean", default="0")
    parser.add_argument("--std", default="1")
    parser.add_argument("--threads", type=int, default=2)
    return parser


def read_array(path):
    if path.endswith(".npy"):
        return np.load(path)
    with gzip.open(path) if path.endswith(".gz") else open(path, "rb") as stream:
        data = stream.read()
    shape = np.frombuffer(data, ">u4", data[3], 4)
    array = np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(shape)
    return array[:, None] if array.ndim == 3 else array


def read_images(options):
    """Float images as the network gets them, and labels."""
    mean, std = (np.array(text.split(","), np.float32).reshape(1, -1, 1, 1)
                 for text in (options.mean, options.std))
    images = (read_array(options.images).astype(np.float32) / np.float32(255) - mean) / std
    return np.ascontiguousarray(images), read_array(options.labels).astype(np.int64)


def peak_megabytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def serve(run, **facts):
    """run() gives a dictionary to print, {"correct": …}; it is timed once for every line on stdin,
    unless it gives its own "seconds"."""
    print(json.dumps({"ready": True, **facts}), flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        told = run()
        print(json.dumps({"seconds": time.perf_counter() - start, **told,
                          "peak_mb": round(peak_megabytes(), 1)}), flush=True)
