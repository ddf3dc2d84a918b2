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


def main():
    options = peer_worker.arguments(__doc__).parse_args()
    torch.set_num_threads(options.threads)
    images, labels = peer_worker.read_images(options)
    images = torch.from_numpy(images)
    net = onnx_torch.HookableModule(options.model).eval()
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
