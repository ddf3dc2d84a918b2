"""A fault in a feature map by PyTorchFI itself: declare a random neuron injection, which copies the
model and hooks its convolutions, and run one image. Gives the seconds of one fault."""
import time

import numpy as np
import torch
from pytorchfi.core import fault_injection
from pytorchfi.neuron_error_models import random_neuron_inj

import onnx_torch
import peer_worker

FAULTS = 20


class Call:
    """A step that is a module: deepcopy() gives the copy its own, hooks are called."""

    def __init__(self, module):
        self.module = module

    def __call__(self, attributes, x, *constants):
        return self.module(x)


class Hookable(onnx_torch.OnnxModule):
    """Convolutions are torch.nn.Conv2d, which is what PyTorchFI looks for."""

    def __init__(self, path):
        super().__init__(path)
        self.convolutions = torch.nn.ModuleList()
        for i, (call, a, inputs, output) in enumerate(self.steps):
            if call is not onnx_torch.conv:
                continue
            w, *b = (self.tensors[self.keys[name]] for name in inputs[1:])
            groups = a.get("group", 1)
            layer = torch.nn.Conv2d(
                w.shape[1] * groups, w.shape[0], w.shape[2:], tuple(a.get("strides", [1, 1])),
                tuple(onnx_torch.padding(a)), tuple(a.get("dilations", [1, 1])), groups, bool(b))
            layer.weight = w
            if b:
                layer.bias = b[0]
            self.convolutions.append(layer)
            self.steps[i] = (Call(layer), a, inputs, output)


def main():
    options = peer_worker.arguments(__doc__).parse_args()
    torch.set_num_threads(options.threads)
    images, labels = peer_worker.read_images(options)
    images = torch.from_numpy(images)
    net = Hookable(options.model).eval()
    generator = np.random.default_rng(0)
    injector = fault_injection(net, 1, input_shape=list(images.shape[1:]), use_cuda=False)

    def one_fault():
        struck = random_neuron_inj(injector)
        image = int(generator.integers(len(images)))
        with torch.no_grad():
            correct = int(struck(images[image:image + 1]).argmax(1)) == labels[image]
        injector.fi_reset()
        return correct

    def some_faults():
        start = time.perf_counter()
        correct = sum(bool(one_fault()) for _ in range(FAULTS))
        return {"seconds": (time.perf_counter() - start) / FAULTS, "correct": correct}

    some_faults()
    peer_worker.serve(some_faults, engine="PyTorchFI, a fault and an image at a time", batch=1)


if __name__ == "__main__":
    main()
