#!/usr/bin/python3
"""Repeat trials of a campaign with onnx and numpy alone.

flip_by_hand.py MODEL.onnx FIRST LAST TRIALS < sites.csv; records.csv and `stoic` (for `eval`) are
taken from the folder and the PATH. Writes the bits that `records --sites` names into a copy of the
ONNX file, evaluates that, and compares what `records` says with what its logits say.
"""
import csv
import json
import subprocess
import sys

import numpy as np
import onnx
from onnx import numpy_helper

MODEL, FIRST, LAST, TRIALS = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])


def layers(model):
    """The weight and bias of each Conv, Gemm and MatMul with constant weights, in file order."""
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    found = []
    for node in model.graph.node:
        if node.op_type in ("Conv", "Gemm", "MatMul") and node.input[1] in constants:
            bias = constants.get(node.input[2]) if len(node.input) > 2 else None
            found.append({"weight": constants[node.input[1]], "bias": bias})
    return found


def same(a, b):
    return a == b or (np.isnan(a) and np.isnan(b))


def corrupt(model, sites, trial):
    for site in sites:
        tensor = layers(model)[int(site["layer"])][site["tensor"]]
        values = numpy_helper.to_array(tensor).copy()
        flat, index = values.reshape(-1), int(site["index"])
        words = flat.view(np.uint32)
        before, after = np.float32(site["before"]), np.float32(site["after"])
        first = site is next(s for s in sites if (s["layer"], s["tensor"], s["index"])
                             == (site["layer"], site["tensor"], site["index"]))
        if first and not same(flat[index], before):
            sys.exit(f"trial {trial}: the value before is {flat[index]!r}, not {before!r}")
        if site["kind"] == "flip":
            words[index] ^= np.uint32(1 << int(site["bit"]))
        elif site["kind"] == "stuck0":
            words[index] &= ~np.uint32(1 << int(site["bit"]))
        elif site["kind"] == "stuck1":
            words[index] |= np.uint32(1 << int(site["bit"]))
        else:
            flat[index] = after
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
        last = site is [s for s in sites if (s["layer"], s["tensor"], s["index"])
                        == (site["layer"], site["tensor"], site["index"])][-1]
        if last and not same(numpy_helper.to_array(tensor).reshape(-1)[index], after):
            sys.exit(f"trial {trial}: by hand the value after is {flat[index]!r}, not {after!r}")


def evaluate(path):
    text = subprocess.run(["stoic", "eval", path, "--data", "fashion-mnist", "--images",
                           f"{FIRST}-{LAST}", "--logits", "logits.npy", "--format", "json"],
                          check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    return json.loads(text), np.load("logits.npy")


def outcome(golden, logits):
    """Counts as docs/fault-models.md defines them, from logits alone."""
    nan = np.isnan(logits).any(axis=1)
    equal = (golden == logits) | (np.isnan(golden) & np.isnan(logits))
    masked = equal.all(axis=1)
    critical = ~masked & (nan | (golden.argmax(axis=1) != logits.argmax(axis=1)))
    tolerable = ~masked & ~critical
    return {"masked": int(masked.sum()), "tolerable": int(tolerable.sum()),
            "critical": int(critical.sum()), "nan": int(nan.sum())}


def main():
    golden = evaluate(MODEL)[1]
    sites = {}
    for site in csv.DictReader(sys.stdin):
        sites.setdefault(site["trial"], []).append(site)
    done = 0
    with open("records.csv", newline="") as stream:
        for record in csv.DictReader(stream):
            trial = record["trial"]
            if done == TRIALS:
                break
            model = onnx.load(MODEL)
            corrupt(model, sites.get(trial, []), trial)
            onnx.save(model, "by_hand.onnx")
            said, logits = evaluate("by_hand.onnx")
            counted = outcome(golden, logits)
            counted["correct"] = said["correct"]
            for key, value in counted.items():
                if record[key] != "" and int(record[key]) != value:
                    sys.exit(f"trial {trial}: {key} is {record[key]}, by hand {value}")
            done += 1
    if done < TRIALS:
        sys.exit(f"{done} trials, expected {TRIALS}")


main()
