stoic info --bits=exponent models/lenet5-fashion-mnist.onnx | sed -n '/exponent/,$p'
stoic info --bits=sign models/lenet5-fashion-mnist.onnx | sed -n '/sign/,$p'
stoic info --bits=nothing models/lenet5-fashion-mnist.onnx; echo $?
