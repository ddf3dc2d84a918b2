stoic eval models/lenet5-fashion-mnist.onnx --data fashion-mnist --images 50 --mean 0 --std=1 |
    grep preprocessing
stoic info models/lenet5-fashion-mnist.onnx --set mean=0.5 --set std= -o own.onnx
stoic eval own.onnx --data fashion-mnist --images 50 | grep preprocessing
stoic new lenet5 -o new.onnx
stoic eval new.onnx --data fashion-mnist --images 50 | grep preprocessing
stoic eval own.onnx --data fashion-mnist --images 50 --mean 0.1,0.2; echo $?
stoic eval own.onnx --data fashion-mnist --images 50 --std 0; echo $?
