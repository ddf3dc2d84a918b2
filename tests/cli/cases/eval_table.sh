stoic eval models/lenet5-fashion-mnist.onnx --data fashion-mnist --images 200
