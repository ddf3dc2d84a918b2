"""The faults of a list in a network's weights, one after the other, each on all images: how many
classes change. By a copy of the model for each fault, by a compiled loop that patches the weight in
place, by PyTorchFI, or by MRFI. A NaN in an image's output counts as a change."""
import copy
import csv
import itertools
import os
import sys

import numpy as np
import torch

import onnx_torch
import peer_worker

BATCH = 100


class Copies:
    """The usual flow: a deep copy, the bit flipped in it."""
    engine = "torch, a copy a fault"

    def __init__(self, net, images):
        self.net = net

    def faulty(self, layer, index, bit):
        net = copy.deepcopy(self.net)
        onnx_torch.flip_bit(net.layers[layer].weight, index, bit)
        return net, lambda: None


class Compiled:
    """No copy: the weight is patched and restored, the network compiled once."""
    engine = "torch.compile, patched"

    def __init__(self, net, images):
        self.net, self.compiled = net, torch.compile(net)

    def faulty(self, layer, index, bit):
        weight = self.net.layers[layer].weight
        onnx_torch.flip_bit(weight, index, bit)
        return self.compiled, lambda: onnx_torch.flip_bit(weight, index, bit)


class PyTorchFi:
    """PyTorchFI: declare_weight_fi, with a function of ours that flips the bit."""
    engine = "PyTorchFI"

    def __init__(self, net, images):
        from pytorchfi.core import fault_injection
        self.shapes = [layer.weight.shape for layer in net.layers]
        self.injector = fault_injection(net, BATCH, input_shape=list(images.shape[1:]), use_cuda=False,
                                        layer_types=[torch.nn.Conv2d, torch.nn.Linear])

    def faulty(self, layer, index, bit):
        place = [int(i) for i in np.unravel_index(index, self.shapes[layer])]
        place += [None] * (4 - len(place))  # it always indexes with four

        def flipped(weight, at):
            value = weight[at].detach().clone()
            onnx_torch.flip_bit(value, 0, bit)
            return value
        net = self.injector.declare_weight_fi(
            function=flipped, layer_num=[layer], k=[place[0]], dim1=[place[1]], dim2=[place[2]],
            dim3=[place[3]])
        return net, lambda: None


class Mrfi:
    """MRFI: FixPosition and FloatFixedBitFlip on a layer's weights, set anew for each fault."""
    engine = "MRFI"

    def __init__(self, net, images):
        from mrfi import MRFI, EasyConfig
        fault = {"type": "weight", "name": ["weight"], "enabled": False,
                 "selector": {"method": "FixPosition", "position": 0},
                 "error_mode": {"method": "FloatFixedBitFlip", "floattype": "float32", "bit": 0},
                 "module_type": ["Conv2d", "Linear"]}
        self.one = images[:1]
        self.net = MRFI(net, EasyConfig({"faultinject": [fault]}))
        self.configs = [layer.FI_config.weights[0] for layer in net.layers]

    def faulty(self, layer, index, bit):
        config = self.configs[layer]
        config.selector.args.position = int(index)
        config.error_mode.args.bit = int(bit)
        config.enabled = True

        def restore():
            with self.net.golden_run():
                self.net(self.one)
            config.enabled = False
        return self.net, restore


WAYS = {"copies": Copies, "compiled": Compiled, "pytorchfi": PyTorchFi, "mrfi": Mrfi}


def main():
    parser = peer_worker.arguments(__doc__)
    parser.add_argument("--way", choices=WAYS, required=True)
    parser.add_argument("--faults", required=True, help="CSV: layer,index,bit")
    parser.add_argument("--at-once", type=int, default=4, help="faults of a run")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    images = torch.from_numpy(peer_worker.read_images(options)[0])
    with open(options.faults) as stream:
        faults = [tuple(int(row[key]) for key in ("layer", "index", "bit")) for row in csv.DictReader(stream)]
    net = onnx_torch.HookableModule(options.model).eval()

    def classes(run):
        """The class of each image, -1 where the output has a NaN."""
        with torch.no_grad():
            outputs = torch.cat([run(batch) for batch in images.split(BATCH)])
        return torch.where(outputs.isnan().any(1), -1, outputs.argmax(1))

    golden = classes(net)
    way = WAYS[options.way](net, images)
    following = itertools.cycle(faults)

    def some_faults():
        changed = []
        for layer, index, bit in itertools.islice(following, options.at_once):
            run, restore = way.faulty(layer, index, bit)
            changed.append(int((classes(run) != golden).sum()))
            restore()
        return {"critical": changed}

    if options.way == "compiled":
        classes(way.compiled)  # compilation is not counted
    peer_worker.serve(some_faults, engine=way.engine, batch=BATCH)
    sys.stdout.flush()
    os._exit(0)  # compilers leave threads behind


if __name__ == "__main__":
    main()
