#!/usr/bin/env python3
"""Training steps of Stoic against PyTorch's, in one run on one machine, A and B in turn.

First both sides train on one batch for a few steps: their losses must agree, or they do not do the
same work. Then, for each job, the median seconds of a step on both sides, the ratio, the peak memory,
and what faults in the feature maps cost. Standard library only; PyTorch runs under the Python of
--peers (README.md says how to make it).
"""
import argparse
import gzip
import os
import random
import sys
import tempfile

from sides import Stoic, Worker, add_options, compare, read_options, write_npy, zoo_model

ENGINES = ["torch", "torch-compile"]
# name: network, batch, steps of a pass, what the ratio to PyTorch should not exceed
JOBS = {"resnet44": ("resnet44", 128, 10, 1.0), "resnet20": ("resnet20", 128, 20, None),
        "lenet5": ("lenet5", 128, 100, 0.5), "lenet5-b4": ("lenet5", 4, 300, 0.3)}
RECIPE = ["--lr", "0.01", "--momentum", "0.9", "--weight-decay", "1e-4"]
FAULT = "map:block,value=ramp,share=0.75"
FAULT_GOAL = 1.05
# The check: three steps show gradient and momentum, and a decay this large shows too. What counts is
# the difference as a share of how far the loss has moved. Rounding, which deep networks amplify,
# gives up to 5e-4 (LeNet-5, ResNet-44), the wrong recipes 2e-2 and more.
CHECK_RECIPE = ["--lr", "0.003", "--momentum", "0.9", "--weight-decay", "1"]
WRONG = ["--momentum", "0.8"], ["--weight-decay", "0"]
CHECK_STEPS, CHECK_TOLERANCE = 3, 3e-3


class Training(Stoic):
    """`stoic train`: the seconds of a step in the last epoch."""

    def __init__(self, options, model, images, batch, epochs, recipe=RECIPE, extra=()):
        command = ["train", model, "--data", f"npy:{images.files[0]},{images.files[1]}",
                   *images.preparation, "--test", "none", "-o", images.path("trained.onnx"),
                   "--epochs", str(epochs), "--batch", str(batch), *recipe, "--schedule", "none",
                   "--checkpoint", "none", "--threads", str(options.threads), "--format", "json",
                   *extra]
        super().__init__(options.stoic, command, images.count // batch)

    def read(self, answer):
        epochs = answer["epochs"]
        return {"seconds": epochs[-1]["seconds"] / self.scale, "loss": epochs[-1]["loss"],
                "losses": [epoch["loss"] for epoch in epochs]}


class Images:
    """A data set of `count` images as npy files, and how a network wants them prepared."""

    def __init__(self, options, folder, network, count):
        self.folder, self.count = folder, count
        self.files = [self.path("images.npy"), self.path("labels.npy")]
        if network == "lenet5":
            pixels = unpack(f"{options.data}/train-images-idx3-ubyte.gz", 16, count * 28 * 28)
            labels = unpack(f"{options.data}/train-labels-idx1-ubyte.gz", 8, count)
            shape, mean, std = (1, 28, 28), "0.2860", "0.3530"
        else:
            source = random.Random(0)
            pixels = source.randbytes(count * 3 * 32 * 32)
            labels = bytes(source.randrange(10) for _ in range(count))
            shape, mean, std = (3, 32, 32), "0.4914,0.4822,0.4465", "0.2470,0.2435,0.2616"
        self.preparation = ["--mean", mean, "--std", std]
        write_npy(self.files[0], (count, *shape), pixels)
        write_npy(self.files[1], (count,), labels)

    def path(self, name):
        return os.path.join(self.folder, name)


def unpack(path, header, size):
    with gzip.open(path) as stream:
        stream.read(header)
        return stream.read(size)


def peer(options, model, images, batch, engine, *extra):
    return Worker(options.python, "torch_train.py", model, "--images", images.files[0], "--labels",
                  images.files[1], *images.preparation, "--batch", str(batch), *RECIPE, "--engine",
                  engine, "--threads", str(options.threads), *extra)


def distance(ours, theirs):
    """The first losses must be equal but for rounding; then movement is compared."""
    if len(ours) != len(theirs) or abs(ours[0] - theirs[0]) > 1e-5 * abs(theirs[0]):
        return float("inf")
    return max(abs(a - b) / abs(b - theirs[0]) for a, b in zip(ours[1:], theirs[1:]))


def peer_losses(options, model, images, batch, *extra):
    worker = peer(options, model, images, batch, "torch", "--warm-up", "0", *CHECK_RECIPE, *extra)
    losses = [worker.run()["loss"] for _ in range(CHECK_STEPS)]
    worker.stop()
    return losses


def losses_agree(options, job, model, network, batch, folder):
    """Both sides, a few steps on one batch, which no shuffling changes. None: nothing to compare."""
    images = Images(options, folder, network, batch)
    try:
        theirs = peer_losses(options, model, images, batch)
        ours = Training(options, model, images, batch, CHECK_STEPS, CHECK_RECIPE).run()["losses"]
        wrong = [distance(ours, peer_losses(options, model, images, batch, *w)) for w in WRONG]
    except (RuntimeError, OSError, ValueError, KeyError, TypeError) as error:
        print(f"{job}: the losses are not compared: {error}", flush=True)
        return None
    apart = distance(ours, theirs)
    good = apart <= CHECK_TOLERANCE
    print(f"{job}: losses of {CHECK_STEPS} steps on one batch {'agree' if good else 'DIFFER'}, by "
          f"{apart:.1e} of their movement: stoic {' '.join(f'{x:.6f}' for x in ours)}, "
          f"torch {' '.join(f'{x:.6f}' for x in theirs)}", flush=True)
    for recipe, far in zip(WRONG, wrong):
        if far <= CHECK_TOLERANCE:
            print(f"{job}: the comparison does not see {' '.join(recipe)}: {far:.1e}", flush=True)
            good = False
    return good


def training_job(options, job, folder):
    network, batch, steps, goal = JOBS[job]
    model = os.path.join(folder, network + ".onnx")
    try:
        zoo_model(options, network, model)
    except RuntimeError as error:
        print(f"{job}: left out, {error}")
        return True
    good = losses_agree(options, job, model, network, batch, folder)
    images = Images(options, folder, network, batch * steps)
    sides = [(engine, lambda engine=engine: peer(options, model, images, batch, engine))
             for engine in options.engines]
    faulty = "stoic with map faults"
    if not options.no_faults:
        sides.append((faulty, lambda: Training(options, model, images, batch, 2,
                                               extra=["--fault", FAULT])))
    medians = compare(job, options, sides, lambda: Training(options, model, images, batch, 2))
    theirs = {name: seconds for name, seconds in medians.items() if name in ENGINES}
    if theirs and "stoic" in medians:
        best = min(theirs, key=theirs.get)
        print(f"{job}: a step takes {medians['stoic'] / theirs[best]:.3f} of the better PyTorch's "
              f"({best})" + (f"; goal: {goal}" if goal else ""), flush=True)
    if faulty in medians and "stoic" in medians:
        print(f"{job}: faults in the feature maps cost a factor of "
              f"{medians[faulty] / medians['stoic']:.3f}; goal: {FAULT_GOAL}", flush=True)
    return good is not False


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("jobs", nargs="*", help=f"of {' '.join(JOBS)} (default: all)")
    add_options(parser)
    parser.add_argument("--engines", nargs="+", default=ENGINES, choices=ENGINES)
    parser.add_argument("--no-faults", action="store_true", help="leave training with faults out")
    options = read_options(parser, JOBS)
    good = True
    for job in options.jobs:
        with tempfile.TemporaryDirectory() as folder:
            good = training_job(options, job, folder) and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
