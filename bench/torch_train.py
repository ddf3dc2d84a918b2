"""Steps of SGD with PyTorch on the network of an ONNX file; a run is one pass over the images.

The batches are cut once, before the clock starts, and taken in the same order each time: a loader
costs nothing here. The seconds of a run are the median of its steps.
"""
import statistics
import time

import torch
from torch.nn import functional

import onnx_torch
import peer_worker


def loss_function(kind, classes):
    if kind == "ce":
        return functional.cross_entropy, lambda labels: labels
    return (functional.binary_cross_entropy_with_logits,
            lambda labels: functional.one_hot(labels, classes).float())


def main():
    parser = peer_worker.arguments(__doc__)
    parser.add_argument("--engine", choices=["torch", "torch-compile"], default="torch")
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--lr", type=float, default=0.01)
    parser.add_argument("--momentum", type=float, default=0.9)
    parser.add_argument("--weight-decay", type=float, default=0.0)
    parser.add_argument("--optimiser", choices=["fused", "foreach", "plain"], default="fused")
    parser.add_argument("--warm-up", type=int, default=3, help="passes before the first run")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)

    net = onnx_torch.OnnxModule(options.model, train=True).to(memory_format=torch.channels_last)
    images, labels = peer_worker.read_images(options)
    with torch.no_grad():
        # A module of its own: in `net`, running means would take this image in.
        classes = onnx_torch.OnnxModule(options.model)(torch.from_numpy(images[:1])).shape[1]
    loss_of, target_of = loss_function(net.loss, classes)
    count = len(images) // options.batch * options.batch
    batches = [(torch.from_numpy(images[i:i + options.batch])
                .contiguous(memory_format=torch.channels_last),
                target_of(torch.from_numpy(labels[i:i + options.batch])))
               for i in range(0, count, options.batch)]
    del images

    ways = {"fused": {"fused": True}, "foreach": {"foreach": True}, "plain": {"foreach": False}}
    optimiser = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], options.lr,
                                momentum=options.momentum, weight_decay=options.weight_decay,
                                **ways[options.optimiser])

    def forward(x, y):
        return loss_of(net(x), y)
    if options.engine == "torch-compile":
        forward = torch.compile(forward)

    def run():
        times, total = [], 0.0
        for x, y in batches:
            start = time.perf_counter()
            optimiser.zero_grad(set_to_none=True)
            loss = forward(x, y)
            loss.backward()
            optimiser.step()
            total += loss.item()
            times.append(time.perf_counter() - start)
        return {"seconds": statistics.median(times), "loss": total / len(batches)}

    for _ in range(options.warm_up):
        run()
    peer_worker.serve(run, engine=options.engine, batch=options.batch, steps=len(batches))


if __name__ == "__main__":
    main()
