stoic eval models/lenet5-fashion-mnist.onnx --data fashion-mnist --images 100-199 --format csv |
    cut -d, -f1-5
stoic eval models/lenet5-fashion-mnist.onnx --data fashion-mnist --images 100-199 --format json
