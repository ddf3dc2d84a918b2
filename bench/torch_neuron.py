"""A fault in a feature map as PyTorchFI injects it: copy the model, set one random neuron of the
output of one random convolution to a random value, run one image. Gives the seconds of one fault."""
import copy
import time

import numpy as np
import torch

import onnx_torch
import peer_worker

FAULTS = 20


def strike(net, generator):
    """One neuron of one convolution of `net` becomes another whenever it runs."""
    convolutions = [i for i, step in enumerate(net.steps) if step[0] is onnx_torch.conv]
    at = convolutions[generator.integers(len(convolutions))]
    call, *rest = net.steps[at]
    place, value = generator.random(), float(generator.uniform(-1, 1))

    def struck(*arguments):
        out = call(*arguments).contiguous()
        out.view(-1)[int(place * out.numel())] = value
        return out
    net.steps[at] = (struck, *rest)


def main():
    options = peer_worker.arguments(__doc__).parse_args()
    torch.set_num_threads(options.threads)
    images, labels = peer_worker.read_images(options)
    images = torch.from_numpy(images)
    golden = onnx_torch.OnnxModule(options.model).eval()
    generator = np.random.default_rng(0)

    def one_fault():
        net = copy.deepcopy(golden)
        strike(net, generator)
        image = int(generator.integers(len(images)))
        with torch.no_grad():
            return int(net(images[image:image + 1]).argmax(1)) == labels[image]

    def some_faults():
        start = time.perf_counter()
        correct = sum(bool(one_fault()) for _ in range(FAULTS))
        return {"seconds": (time.perf_counter() - start) / FAULTS, "correct": correct}

    some_faults()
    peer_worker.serve(some_faults, engine="torch, a fault and an image at a time", batch=1)


if __name__ == "__main__":
    main()
