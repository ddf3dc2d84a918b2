"""Run an ONNX classifier with PyTorch: each node becomes one call of torch.nn.functional.

Covers what the benchmarked networks use; any other operator is an error by name.
"""
import itertools

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper
from torch.nn import functional


def padding(attributes):
    pads = attributes.get("pads", [0, 0, 0, 0])
    if pads[:2] != pads[2:] or attributes.get("auto_pad", b"NOTSET") != b"NOTSET":
        raise NotImplementedError(f"padding {pads}")
    return pads[:2]


def conv(a, x, w, b=None):
    return functional.conv2d(x, w, b, a.get("strides", 1), padding(a), a.get("dilations", 1),
                             a.get("group", 1))


def gemm(a, x, w, b=None):
    if a.get("alpha", 1.0) != 1 or a.get("beta", 1.0) != 1 or a.get("transA", 0):
        raise NotImplementedError("Gemm with factors")
    return functional.linear(x, w if a.get("transB", 0) else w.t(), b)


def batch_norm(a, x, scale, bias, mean, variance):
    # ONNX's momentum is the share of the old value, PyTorch's that of the new one.
    return functional.batch_norm(x, mean, variance, scale, bias, bool(a.get("training_mode", 0)),
                                 1 - a.get("momentum", 0.9), a.get("epsilon", 1e-5))


def max_pool(a, x):
    return functional.max_pool2d(x, a["kernel_shape"], a.get("strides", 1), padding(a))


def average_pool(a, x):
    return functional.avg_pool2d(x, a["kernel_shape"], a.get("strides", 1), padding(a))


def reduce_mean(a, x, axes=None):
    axes = a.get("axes") if axes is None else axes.tolist()
    return x.mean(dim=axes, keepdim=bool(a.get("keepdims", 1)))


CALLS = {
    "Conv": conv, "Gemm": gemm, "BatchNormalization": batch_norm, "MaxPool": max_pool,
    "AveragePool": average_pool, "ReduceMean": reduce_mean,
    "GlobalAveragePool": lambda a, x: x.mean((2, 3), keepdim=True),
    "Relu": lambda a, x: functional.relu(x), "Sigmoid": lambda a, x: torch.sigmoid(x),
    "Add": lambda a, x, y: x + y, "Identity": lambda a, x: x,
    "Flatten": lambda a, x: torch.flatten(x, a.get("axis", 1)),
    "Reshape": lambda a, x, shape: x.reshape([len(x), *shape.tolist()[1:]]),
}


def flip_bit(weight, index, bit):
    """In place, in its memory: a signalling NaN would not survive the way through a Python float."""
    weight.data.view(-1).numpy().view(np.uint32)[index] ^= np.uint32(1 << bit)


class OnnxModule(torch.nn.Module):
    """With `train`: what training changes are parameters, batch normalisation uses the batch, and a
    final Sigmoid or Softmax is left to the loss; `loss` is what `stoic train` takes by default."""

    def __init__(self, path, train=False):
        super().__init__()
        graph = onnx.load(path).graph
        normalisations = [node for node in graph.node if node.op_type == "BatchNormalization"]
        running = set(itertools.chain.from_iterable(node.input[3:5] for node in normalisations))
        self.tensors = torch.nn.ParameterDict()
        self.keys, self.shapes = {}, {}
        for i, tensor in enumerate(graph.initializer):
            value = torch.from_numpy(numpy_helper.to_array(tensor).copy())
            if value.is_floating_point():
                self.keys[tensor.name] = f"tensor{i}"
                learnt = train and tensor.name not in running
                self.tensors[f"tensor{i}"] = torch.nn.Parameter(value, requires_grad=learnt)
            else:
                self.shapes[tensor.name] = value
        nodes, last = list(graph.node), graph.node[-1]
        self.loss = "bce" if last.op_type == "Sigmoid" else "ce"
        if train and last.op_type in ("Sigmoid", "Softmax", "LogSoftmax"):
            nodes.pop()
        self.input, self.output = graph.input[0].name, nodes[-1].output[0]
        self.steps = []
        for node in nodes:
            if node.op_type not in CALLS:
                raise NotImplementedError(f"{node.op_type} (node {node.name})")
            attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
            if train and node.op_type == "BatchNormalization":
                attributes["training_mode"] = 1
            self.steps.append((CALLS[node.op_type], attributes, list(node.input), node.output[0]))

    def forward(self, image):
        values = {self.input: image, **self.shapes}
        values.update((name, self.tensors[key]) for name, key in self.keys.items())
        for call, attributes, inputs, output in self.steps:
            values[output] = call(attributes, *(values[name] for name in inputs if name))
        return values[self.output]


class ModuleStep:
    """A step that is a module: deepcopy() gives the copy its own, hooks are called."""

    def __init__(self, module):
        self.module = module

    def __call__(self, attributes, x, *constants):
        return self.module(x)


class HookableModule(OnnxModule):
    """Layers with weights are torch.nn.Conv2d and torch.nn.Linear, in the order of the graph, which is
    what fault injectors look for."""

    def __init__(self, path):
        super().__init__(path)
        self.layers = torch.nn.ModuleList()
        for i, (call, a, inputs, output) in enumerate(self.steps):
            if call not in (conv, gemm):
                continue
            w, *b = (self.tensors[self.keys[name]] for name in inputs[1:])
            if call is conv:
                groups = a.get("group", 1)
                layer = torch.nn.Conv2d(
                    w.shape[1] * groups, w.shape[0], w.shape[2:], tuple(a.get("strides", [1, 1])),
                    tuple(padding(a)), tuple(a.get("dilations", [1, 1])), groups, bool(b))
            elif a.get("transB", 0):
                layer = torch.nn.Linear(w.shape[1], w.shape[0], bool(b))
            else:
                raise NotImplementedError("Gemm without transB")
            layer.weight = w
            if b:
                layer.bias = b[0]
            self.layers.append(layer)
            self.steps[i] = (ModuleStep(layer), a, inputs, output)
