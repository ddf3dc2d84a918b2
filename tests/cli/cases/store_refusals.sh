stoic store models/lenet5-fashion-mnist.onnx; echo $?
stoic store models/lenet5-fashion-mnist.onnx --store affine:9; echo $?
stoic store models/lenet5-fashion-mnist.onnx --store affine:5,code=msb; echo $?
stoic store models/lenet5-fashion-mnist.onnx --store affine:5,code=msb3 -o weights.stw; echo $?
stoic store --store fp16; echo $?
ls
