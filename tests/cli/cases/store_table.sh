stoic store models/lenet5-fashion-mnist.onnx --store affine:5,code=msb3 --data fashion-mnist --images 200
stoic store models/lenet5-fashion-mnist.onnx --store int8,code=zerospace64
