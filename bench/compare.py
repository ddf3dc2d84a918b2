#!/usr/bin/env python3
"""Stoic against onnxruntime and PyTorch, in one run on one machine, A and B in turn.

Prints for each job the median seconds of both sides, their ratio and the peak memory. What is not
there (a peer, the executable) is left out with a line that says so. Standard library only; the
peers run under the Python of --peers (README.md says how to make it).
"""
import argparse
import os
import random
import sys
import tempfile

from sides import ROOT, Campaign, Stoic, Worker, add_options, compare, read_options, write_npy, zoo_model

JOBS = ["lenet5", "resnet44", "fault", "pass"]
PASSES = {"map": "map:single,value=random", "op": "op:flip"}
ENGINES = ["onnxruntime", "torch", "torch-compile"]
IDX = "{}/t10k-images-idx3-ubyte.gz", "{}/t10k-labels-idx1-ubyte.gz"


def peer_eval(options, engine, arguments):
    """A worker at the engine's best batch size, which another process has looked for: the
    probing must not count in its peak memory."""
    def make():
        common = ["peers_eval.py", *arguments, "--engine", engine, "--threads", str(options.threads)]
        probe = Worker(options.python, *common)
        probe.stop()
        return Worker(options.python, *common, "--batches", str(probe.facts["batch"]))
    return engine, make


def eval_job(options, job, model, data, files, preparation):
    arguments = [model, "--images", files[0], "--labels", files[1], *preparation]
    peers = [peer_eval(options, engine, arguments) for engine in options.engines]
    compare(job, options, peers, lambda: Stoic(options.stoic, [
        "eval", model, "--data", data, *preparation, "--threads", str(options.threads),
        "--format", "json"]))


def campaign_side(options, folder, model, data, fault, trials, *more):
    """Our side: a campaign from nothing, seconds a trial."""
    return lambda: Campaign(options, folder, model, data, fault, "--trials", str(trials), *more)


def fault_job(options, model, files, preparation, folder):
    """Single-weight faults over the whole test set: seconds a fault."""
    peers = [("torch, a copy a fault", lambda: Worker(
        options.python, "torch_fault.py", model, "--images", files[0], "--labels", files[1],
        "--threads", str(options.threads), *preparation))]
    compare("fault", options, peers, campaign_side(options, folder, model, "fashion-mnist",
                                                   "flips:1", options.trials))


def resnet_jobs(options, folder):
    """The whole network, and faults in computed values with one image each: seconds a fault."""
    model = options.resnet
    if not model:
        model = os.path.join(folder, "resnet44.onnx")
        try:
            zoo_model(options, "resnet44", model)
        except RuntimeError as error:
            print(f"resnet44: left out, {error}; give a model with --resnet")
            return
    source = random.Random(0)
    files = [os.path.join(folder, name) for name in ("images.npy", "labels.npy")]
    write_npy(files[0], (1000, 3, 32, 32), source.randbytes(1000 * 3 * 32 * 32))
    write_npy(files[1], (1000,), bytes(i % 10 for i in range(1000)))
    preparation = ["--mean", "0.4914,0.4822,0.4465", "--std", "0.2470,0.2435,0.2616"]
    data = f"npy:{files[0]},{files[1]}"
    if "resnet44" in options.jobs:
        eval_job(options, "resnet44", model, data, files, preparation)
    if "pass" not in options.jobs:
        return
    peers = [(name, lambda script=script: Worker(
        options.python, script, model, "--images", files[0], "--labels", files[1],
        "--threads", str(options.threads), *preparation))
        for name, script in (("PyTorchFI", "pytorchfi_neuron.py"),
                             ("torch, a neuron a copy", "torch_neuron.py"))]
    for name, fault in PASSES.items():
        compare(f"pass {name}", options, peers, campaign_side(
            options, folder, model, data, fault, options.passes, *preparation,
            "--images-per-trial", "1"))


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("jobs", nargs="*", help=f"of {' '.join(JOBS)} (default: all)")
    add_options(parser)
    parser.add_argument("--engines", nargs="+", default=ENGINES, choices=ENGINES)
    parser.add_argument("--resnet", help="ONNX file of a ResNet-44 (default: stoic new resnet44)")
    parser.add_argument("--trials", type=int, default=200, help="faults in a campaign of ours")
    parser.add_argument("--passes", type=int, default=4000,
                        help="the same with one image each")
    options = read_options(parser, JOBS)
    lenet5 = os.path.join(ROOT, "models", "lenet5-fashion-mnist.onnx")
    fashion = [name.format(options.data) for name in IDX]
    preparation = ["--mean", "0.2860", "--std", "0.3530"]
    with tempfile.TemporaryDirectory() as folder:
        if "lenet5" in options.jobs:
            eval_job(options, "lenet5", lenet5, "fashion-mnist", fashion, preparation)
        if {"resnet44", "pass"} & set(options.jobs):
            resnet_jobs(options, folder)
        if "fault" in options.jobs:
            fault_job(options, lenet5, fashion, preparation, folder)


if __name__ == "__main__":
    sys.exit(main())
