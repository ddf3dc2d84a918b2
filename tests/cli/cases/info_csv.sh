stoic info models/lenet5-fashion-mnist.onnx --format csv | cut -d, -f1-7
stoic info models/lenet5-fashion-mnist.onnx --bits exponent --format csv
