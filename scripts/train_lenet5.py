#!/usr/bin/env python3
"""Train the shipped LeNet-5 on Fashion-MNIST with PyTorch and write it as ONNX.

Not part of the build or of the tests: the models it makes are committed in models/, each with a
card. Needs numpy, torch, onnx and onnxruntime (bench/README.md says how to get them).

The network: conv 1->20 k5, pool 2, conv 20->50 k5, pool 2, 800->120->84->10, an activation after
every layer but the last, a final Sigmoid. The loss is binary cross-entropy on the value before
that Sigmoid; SGD with momentum and a cosine from --lr to 0.
"""
import argparse
import collections
import gzip
import hashlib
import math
import os
import time

import numpy as np
import onnx
import onnxruntime
import torch
from torch import nn

MEAN, STD = 0.2860, 0.3530
CLASSES = "T-shirt/top,Trouser,Pullover,Dress,Coat,Sandal,Shirt,Sneaker,Bag,Ankle boot"


def read_idx(path):
    with gzip.open(path) as stream:
        data = stream.read()
    rank = data[3]
    shape = np.frombuffer(data, ">u4", rank, 4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * rank).reshape(shape)


def read_set(folder, name):
    images = read_idx(os.path.join(folder, f"{name}-images-idx3-ubyte.gz"))
    labels = read_idx(os.path.join(folder, f"{name}-labels-idx1-ubyte.gz"))
    pixels = (images[:, None].astype(np.float32) / np.float32(255) - np.float32(MEAN)) / np.float32(STD)
    return torch.from_numpy(pixels), torch.from_numpy(labels.astype(np.int64))


def build(activation, pool):
    act = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid}[activation]
    pooling = {"max": nn.MaxPool2d, "average": nn.AvgPool2d}[pool]
    return nn.Sequential(collections.OrderedDict([
        ("conv1", nn.Conv2d(1, 20, 5)), (activation + "1", act()), ("pool1", pooling(2)),
        ("conv2", nn.Conv2d(20, 50, 5)), (activation + "2", act()), ("pool2", pooling(2)),
        ("flatten", nn.Flatten()),
        ("fc1", nn.Linear(800, 120)), (activation + "3", act()),
        ("fc2", nn.Linear(120, 84)), (activation + "4", act()),
        ("fc3", nn.Linear(84, 10))]))


def count_correct(net, images, labels):
    with torch.no_grad():
        return sum(int((net(x).argmax(1) == y).sum())
                   for x, y in zip(images.split(1000), labels.split(1000)))


def train(net, args, train_set, test_set):
    images, labels = train_set
    targets = nn.functional.one_hot(labels, 10).float()
    optimiser = torch.optim.SGD(net.parameters(), args.lr, momentum=0.9,
                                weight_decay=args.weight_decay)
    steps = args.epochs * math.ceil(len(images) / args.batch)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    loss_of = nn.BCEWithLogitsLoss()
    for epoch in range(args.epochs):
        start, total = time.time(), 0.0
        for index in torch.randperm(len(images)).split(args.batch):
            optimiser.zero_grad()
            loss = loss_of(net(images[index]), targets[index])
            loss.backward()
            optimiser.step()
            schedule.step()
            total += loss.item() * len(index)
        net.eval()
        correct = count_correct(net, *test_set)
        net.train()
        print(f"epoch {epoch + 1}: loss {total / len(images):.5f}, "
              f"{correct} of {len(test_set[1])} correct, {time.time() - start:.1f} s", flush=True)


def export(net, path, recipe):
    """Write ONNX whose nodes and values carry the names of the modules."""
    net = nn.Sequential(collections.OrderedDict([*net.named_children(), ("sigmoid", nn.Sigmoid())]))
    torch.onnx.export(net.eval(), (torch.zeros(1, 1, 28, 28),), path, dynamo=False,
                      opset_version=17, input_names=["image"], output_names=["score"],
                      dynamic_axes={"image": {0: "batch"}, "score": {0: "batch"}})
    model = onnx.load(path)
    values = {}
    for node in model.graph.node:
        node.name = node.name.split("/")[1]
        for old in node.output:
            values[old] = old if old == "score" else node.name
    for node in model.graph.node:
        node.input[:] = [values.get(name, name) for name in node.input]
        node.output[:] = [values[name] for name in node.output]
    model.graph.name = os.path.splitext(os.path.basename(path))[0]
    onnx.helper.set_model_props(model, {"stoic.mean": f"{MEAN:.4f}", "stoic.std": f"{STD:.4f}",
                                        "stoic.classes": CLASSES, "stoic.recipe": recipe})
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def count_correct_onnx(path, images, labels):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return sum(int((session.run(None, {"image": x.numpy()})[0].argmax(1) == y.numpy()).sum())
               for x, y in zip(images.split(1000), labels.split(1000)))


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="/usr/share/datasets/fashion-mnist")
    parser.add_argument("--activation", choices=["relu", "sigmoid"], default="relu")
    parser.add_argument("--pool", choices=["max", "average"], default="max")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--lr", type=float, default=0.02)
    parser.add_argument("--weight-decay", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", dest="out", required=True)
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    train_set, test_set = read_set(args.data, "train"), read_set(args.data, "t10k")
    net = build(args.activation, args.pool)
    if args.activation == "sigmoid":
        # PyTorch's default start leaves stacked Sigmoids flat: nothing is learnt for epochs.
        for module in net:
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.xavier_uniform_(module.weight, gain=4.0)
                nn.init.zeros_(module.bias)
    train(net, args, train_set, test_set)
    recipe = (f"scripts/train_lenet5.py --activation {args.activation} --pool {args.pool} "
              f"--epochs {args.epochs} --batch {args.batch} --lr {args.lr} "
              f"--weight-decay {args.weight_decay} --seed {args.seed} "
              f"(Fashion-MNIST, SGD momentum 0.9, cosine to 0, BCE before the Sigmoid)")
    export(net, args.out, recipe)
    sigmoid = nn.Sequential(net, nn.Sigmoid())
    print("correct, torch, before the Sigmoid:", count_correct(net, *test_set))
    print("correct, torch, after the Sigmoid: ", count_correct(sigmoid, *test_set))
    print("correct, onnxruntime:              ", count_correct_onnx(args.out, *test_set))
    with open(args.out, "rb") as stream:
        print("sha256", hashlib.sha256(stream.read()).hexdigest())


if __name__ == "__main__":
    main()
