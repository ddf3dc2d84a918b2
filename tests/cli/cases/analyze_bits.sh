stoic analyze bits --store fp16,scale=max:1.9999
stoic analyze bits --store q2.5 --format csv
# majority repairs the msb and its copies
stoic analyze bits models/lenet5-fashion-mnist.onnx --store affine:5,code=msb3 --format json
