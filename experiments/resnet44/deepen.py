#!/usr/bin/python3
"""usage: deepen.py TRAINED.onnx DEEPER.onnx OUT.onnx

DEEPER, an untrained ResNet of `stoic new`, gets every tensor that TRAINED, a shallower one of the same stages, has under
the same name. Blocks that only DEEPER has get a last normalisation of factor 0: they add nothing, and OUT computes what
TRAINED does until it is trained on. (Debian's python3-onnx, hence the fixed interpreter.)
"""
import re
import sys

import numpy
import onnx
from onnx import numpy_helper


def by_name(model):
    return {tensor.name: tensor for tensor in model.graph.initializer}


def main(trained, deeper, out):
    source, target = onnx.load(trained), onnx.load(deeper)
    known, blocks = by_name(source), 0
    for name, tensor in by_name(target).items():
        if name in known:
            if known[name].dims != tensor.dims:
                sys.exit(f"deepen: '{name}' is {list(known[name].dims)} in {trained}, {list(tensor.dims)} in {deeper}")
            tensor.CopyFrom(known[name])
        elif re.fullmatch(r"layer\d+\.\d+\.bn2\.weight", name):
            tensor.CopyFrom(numpy_helper.from_array(numpy.zeros(list(tensor.dims), numpy.float32), name))
            blocks += 1
        elif not re.match(r"layer\d+\.[1-9]\d*\.", name):
            sys.exit(f"deepen: '{name}' of {deeper} belongs to no block that could be left out")
    missing = sorted(set(known) - set(by_name(target)))
    if missing:
        sys.exit(f"deepen: {deeper} lacks '{missing[0]}' of {trained}")
    mine = {entry.key for entry in target.metadata_props}
    target.metadata_props.extend(entry for entry in source.metadata_props
                                 if entry.key not in mine and entry.key != "stoic.recipe")
    onnx.save(target, out)
    print(f"{out}: {len(known)} tensors of {trained}, {blocks} blocks that add nothing yet")


if len(sys.argv) != 4:
    sys.exit(__doc__.split("\n", 1)[0])
main(*sys.argv[1:])
