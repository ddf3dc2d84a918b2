#!/usr/bin/env python3
"""Single-bit faults in LeNet-5's weights, each on the whole test set: Stoic against the tools of the
field, on the same faults and the same images, with the critical images of every fault compared.

The faults are drawn here, uniformly, and written as a list that Stoic runs as --fault list:FILE; the
peers run some of them, a few a run, in turn with Stoic: every second one is such as changes classes,
or there would be little to compare. A second figure of ours is a part of the exhaustive campaign.
Standard library only; the peers run under the Python of --peers (README.md).
"""
import argparse
import csv
import io
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile

from sides import ROOT, Campaign, Worker, add_options, read_options, take_turns

WAYS = {"copies": "torch, a copy a fault", "compiled": "torch.compile, patched",
        "pytorchfi": "PyTorchFI 0.6.0", "mrfi": "MRFI 2.1.0"}


def run(options, *arguments):
    return subprocess.run([options.stoic, *arguments], check=True, text=True, stdin=subprocess.DEVNULL,
                          capture_output=True).stdout


def draw_faults(options):
    """Uniform over the bits of the weights of conv1 to fc3."""
    sizes = [int(layer["weights"]) for layer in json.loads(
        run(options, "info", options.model, "--format", "json"))["layers"]]
    source, total = random.Random(options.seed), sum(sizes)
    for _ in range(options.trials):
        layer, index = 0, source.randrange(total)
        while index >= sizes[layer]:
            index -= sizes[layer]
            layer += 1
        yield layer, index, source.randrange(32)


def write_faults(path, faults):
    with open(path, "w") as stream:
        stream.write("layer,index,bit\n")
        stream.writelines(f"{layer},{index},{bit}\n" for layer, index, bit in faults)


def alternate(critical):
    """The order in which the peers take the faults: one that harms, one as drawn, and so on."""
    harmful = [i for i, n in enumerate(critical) if n > 0]
    others = [i for i, n in enumerate(critical) if n == 0]
    pairs = [i for pair in zip(harmful, others) for i in pair]
    return pairs + harmful[len(pairs) // 2:] + others[len(pairs) // 2:]


def campaign(options, folder, fault, *more):
    return Campaign(options, folder, options.model, "fashion-mnist", fault, "--outcomes", "critical", "--quiet",
                    *more)


def critical_of(options, path):
    """By trial. The column counts images with a NaN, too."""
    rows = csv.DictReader(io.StringIO(run(options, "records", path, "--format", "csv")))
    return [int(row["critical"]) for row in rows]


def tell(name, facts, runs, ours, at_once):
    """One line of JSON; returns the median seconds of a fault."""
    seconds = statistics.median(r["seconds"] for r in runs) / at_once
    told = {"side": name, "seconds_a_fault": seconds, **facts}
    if "critical" in runs[0]:
        theirs = [n for r in runs for n in r["critical"]]
        told["faults"] = len(theirs)
        told["critical_images"] = [sum(theirs), sum(ours[:len(theirs)])]
        told["faults_that_differ"] = sum(a != b for a, b in zip(theirs, ours))
        told["images_that_differ"] = sum(abs(a - b) for a, b in zip(theirs, ours))
    print(json.dumps(told), flush=True)
    return seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("jobs", nargs="*", metavar="peer", help=f"of {' '.join(WAYS)} (default: all)")
    add_options(parser)
    parser.add_argument("--model", default=os.path.join(ROOT, "models", "lenet5-fashion-mnist.onnx"))
    parser.add_argument("--trials", type=int, default=2000, help="faults in a campaign of ours")
    parser.add_argument("--peer-faults", type=int, default=4, help="faults in a run of a peer")
    parser.add_argument("--part", default="exhaustive,layer=1-4 --shard 7/100",
                        help="the part of the exhaustive campaign")
    parser.add_argument("--seed", type=int, default=1)
    options = read_options(parser, list(WAYS))
    with tempfile.TemporaryDirectory() as folder:
        listing, theirs = (os.path.join(folder, name) for name in ("faults.csv", "theirs.csv"))
        faults = list(draw_faults(options))
        write_faults(listing, faults)
        fashion = [f"{options.data}/t10k-{kind}-ubyte.gz" for kind in ("images-idx3", "labels-idx1")]
        listed = campaign(options, folder, f"list:{listing}")

        def peer(way):
            return lambda: Worker(
                options.python, "torch_campaign.py", options.model, "--images", fashion[0], "--labels",
                fashion[1], "--mean", "0.2860", "--std", "0.3530", "--threads", str(options.threads),
                "--way", way, "--faults", theirs, "--at-once", str(options.peer_faults))

        listed.run()
        ours = critical_of(options, listed.path)
        order = alternate(ours)
        write_faults(theirs, [faults[i] for i in order])
        ours = [ours[i] for i in order]
        fault, *more = options.part.split()
        sides = [("stoic", lambda: listed),
                 ("stoic, exhaustive", lambda: campaign(options, folder, fault, *more)),
                 *((WAYS[way], peer(way)) for way in options.jobs)]
        seconds = {}
        for name, (facts, runs) in take_turns("campaign", options, sides).items():
            at_once = options.peer_faults if "critical" in runs[0] else 1
            seconds[name] = tell(name, facts, runs, ours, at_once)
        for name in seconds:
            if not name.startswith("stoic"):
                for us in ("stoic", "stoic, exhaustive"):
                    print(f"campaign: {name} takes {seconds[name]:.4g} s a fault, {us} {seconds[us]:.4g} s, "
                          f"ratio {seconds[name] / seconds[us]:.0f}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
