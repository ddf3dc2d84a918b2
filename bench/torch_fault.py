"""The usual way to inject a fault with PyTorch: copy the model, flip one bit of one weight, run the
whole test set in batches of 100, count the correct images. One fault a run."""
import copy
import itertools

import numpy as np
import torch

import onnx_torch
import peer_worker


def flip_one(net, generator):
    """Flip a uniform bit of a uniform weight (not of a bias), in place."""
    weights = [t.data for t in net.tensors.values() if t.dim() > 1]
    index = int(generator.integers(sum(w.numel() for w in weights)))
    for weight in weights:
        if index < weight.numel():
            onnx_torch.flip_bit(weight, index, int(generator.integers(32)))
            return
        index -= weight.numel()


def main():
    options = peer_worker.arguments(__doc__).parse_args()
    torch.set_num_threads(options.threads)
    images, labels = peer_worker.read_images(options)
    batches = list(zip(torch.from_numpy(images).split(100), torch.from_numpy(labels).split(100)))
    golden = onnx_torch.OnnxModule(options.model).eval()

    def count_correct(net):
        with torch.no_grad():
            return sum(int((net(x).argmax(1) == y).sum()) for x, y in batches)

    clean, trial = count_correct(golden), itertools.count()

    def one_fault():
        net = copy.deepcopy(golden)
        flip_one(net, np.random.default_rng(next(trial)))
        return {"correct": count_correct(net)}

    one_fault()
    peer_worker.serve(one_fault, engine="torch, a fault at a time", batch=100, clean_correct=clean)


if __name__ == "__main__":
    main()
