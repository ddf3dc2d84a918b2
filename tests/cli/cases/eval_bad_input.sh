stoic eval models/lenet5-fashion-mnist.onnx --data fashion-mnist --images 20000; echo $?
stoic eval models/lenet5-fashion-mnist.onnx --data fashion-mnist:tset; echo $?
stoic eval models/lenet5-fashion-mnist.onnx --data fashion-mnist --store fp31; echo $?
stoic eval models/lenet5-fashion-mnist.onnx --data fashion-mnist --crop 20; echo $?
stoic new resnet20 -o resnet20.onnx >/dev/null
stoic eval resnet20.onnx --data fashion-mnist --images 5; echo $?
stoic eval models/lenet5-fashion-mnist.onnx --data fashion-mnist --logits none/x.npy --images 5; echo $?
