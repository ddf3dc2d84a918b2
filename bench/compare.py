#!/usr/bin/env python3
"""Stoic against onnxruntime and PyTorch, in one run on one machine, A and B in turn.

Prints for each job the median seconds of both sides, their ratio and the peak memory. What is not
there (a peer, the executable) is left out with a line that says so. Standard library only; the
peers run under the Python of --peers (README.md says how to make it).
"""
import argparse
import json
import os
import random
import statistics
import struct
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
ENGINES = ["onnxruntime", "torch", "torch-compile"]
IDX = "{}/t10k-images-idx3-ubyte.gz", "{}/t10k-labels-idx1-ubyte.gz"


class Worker:
    """A peer in a process of its own, which runs once for every line that it is sent."""

    def __init__(self, python, script, *arguments):
        environment = {**os.environ, "PYTHONWARNINGS": "ignore", "TORCH_LOGS": "-all"}
        self.process = subprocess.Popen([python, os.path.join(HERE, script), *arguments], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, env=environment)
        try:
            self.facts = self.answer()
            del self.facts["ready"]
        except RuntimeError:
            self.stop()
            raise

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            errors = self.process.stderr.read().strip().split("\n")
            raise RuntimeError(errors[-1] or "it ended without a word")
        return json.loads(line)

    def run(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.answer()

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


class Stoic:
    """One command, run anew each time; `scale` divides its seconds (trials of a campaign)."""

    def __init__(self, program, arguments, scale=1):
        self.command, self.scale, self.facts = [program, *arguments], scale, {}

    def run(self):
        start = time.perf_counter()
        # A file, not a pipe: wait4 must not race with a full pipe.
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            out.seek(0)
            err.seek(0)
            if process.returncode:
                raise RuntimeError(f"exit {process.returncode}: {err.read().decode().strip()}")
            answer = json.load(out)
        return {"seconds": answer["seconds"] / self.scale, "correct": answer.get("correct"),
                "peak_mb": round(usage.ru_maxrss / 1024, 1),
                "wall": (time.perf_counter() - start) / self.scale}

    def stop(self):
        pass


def write_npy(path, shape, data):
    header = str({"descr": "|u1", "fortran_order": False, "shape": shape})
    header += " " * (-(10 + len(header) + 1) % 64) + "\n"
    with open(path, "wb") as stream:
        stream.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + data)


def compare(job, options, peers, stoic):
    """Time the peers and our side in turn; one JSON line for each, then a readable table."""
    sides, medians = {}, {}
    for name, make in [("stoic", stoic), *peers]:
        try:
            sides[name] = make()
        except (RuntimeError, OSError) as error:
            print(f"{job}: {name} is left out: {error}", flush=True)
    results = {name: [] for name in sides}
    for _ in range(options.repeat):
        for name in list(sides):
            try:
                results[name].append(sides[name].run())
            except (RuntimeError, OSError, ValueError, KeyError) as error:
                print(f"{job}: {name} is left out: {error}", flush=True)
                sides.pop(name).stop()
    for name, side in sides.items():
        side.stop()
        runs = results[name]
        medians[name] = statistics.median(r["seconds"] for r in runs)
        print(json.dumps({"job": job, "side": name, "seconds": round(medians[name], 6),
                          "all": [round(r["seconds"], 6) for r in runs],
                          "peak_mb": max(r["peak_mb"] for r in runs),
                          "correct": runs[-1]["correct"], **side.facts}), flush=True)
    for name in medians:
        if name != "stoic" and "stoic" in medians:
            print(f"{job}: stoic {medians['stoic']:.4f} s, {name} {medians[name]:.4f} s, "
                  f"stoic / {name} = {medians['stoic'] / medians[name]:.3f}", flush=True)


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


def fault_job(options, model, files, preparation, folder):
    """Single-weight faults over the whole test set: seconds a fault."""
    campaign = os.path.join(folder, "campaign.db")

    class Campaign(Stoic):
        def run(self):
            for name in os.listdir(folder):
                if name.startswith("campaign.db"):
                    os.remove(os.path.join(folder, name))
            return super().run()

    peers = [("torch, a copy a fault", lambda: Worker(
        options.python, "torch_fault.py", model, "--images", files[0], "--labels", files[1],
        "--threads", str(options.threads), *preparation))]
    compare("fault", options, peers, lambda: Campaign(options.stoic, [
        "inject", model, "--data", "fashion-mnist", "--fault", "flips:1", "--trials",
        str(options.trials), "--threads", str(options.threads), "-o", campaign, "--format", "json"],
        options.trials))


def resnet_job(options, folder):
    model = options.resnet
    if not model:
        model = os.path.join(folder, "resnet44.onnx")
        try:
            subprocess.run([options.stoic, "new", "resnet44", "-o", model], check=True,
                           stdin=subprocess.DEVNULL, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"resnet44: left out, no model: {error}; give one with --resnet")
            return
    source = random.Random(0)
    files = [os.path.join(folder, name) for name in ("images.npy", "labels.npy")]
    write_npy(files[0], (1000, 3, 32, 32), source.randbytes(1000 * 3 * 32 * 32))
    write_npy(files[1], (1000,), bytes(i % 10 for i in range(1000)))
    eval_job(options, "resnet44", model, f"npy:{files[0]},{files[1]}", files,
             ["--mean", "0.4914,0.4822,0.4465", "--std", "0.2470,0.2435,0.2616"])


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("jobs", nargs="*", help="of lenet5 resnet44 fault (default: all)")
    parser.add_argument("--peers", default=os.path.expanduser("~/stoic-peers"))
    parser.add_argument("--stoic", default=os.path.join(ROOT, "build", "cli", "stoic"))
    parser.add_argument("--engines", nargs="+", default=ENGINES, choices=ENGINES)
    parser.add_argument("--resnet", help="ONNX file of a ResNet-44 (default: stoic new resnet44)")
    parser.add_argument("--data", default="/usr/share/datasets/fashion-mnist")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--trials", type=int, default=200, help="faults in a campaign of ours")
    options = parser.parse_args()
    options.python = os.path.join(options.peers, "bin", "python")
    if not set(options.jobs) <= {"lenet5", "resnet44", "fault"}:
        parser.error("jobs are lenet5, resnet44, fault")
    jobs = options.jobs or ["lenet5", "resnet44", "fault"]
    lenet5 = os.path.join(ROOT, "models", "lenet5-fashion-mnist.onnx")
    fashion = [name.format(options.data) for name in IDX]
    preparation = ["--mean", "0.2860", "--std", "0.3530"]
    if os.getloadavg()[0] > 0.5:
        print(f"the load average is {os.getloadavg()[0]:.1f}: other work is running, do not trust "
              "these figures", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        if "lenet5" in jobs:
            eval_job(options, "lenet5", lenet5, "fashion-mnist", fashion, preparation)
        if "resnet44" in jobs:
            resnet_job(options, folder)
        if "fault" in jobs:
            fault_job(options, lenet5, fashion, preparation, folder)


if __name__ == "__main__":
    sys.exit(main())
