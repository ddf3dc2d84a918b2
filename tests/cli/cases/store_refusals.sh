stoic store models/lenet5-fashion-mnist.onnx; echo $?
stoic store models/lenet5-fashion-mnist.onnx --store affine:9; echo $?
stoic store models/lenet5-fashion-mnist.onnx --store affine:5,code=msb; echo $?
stoic store models/lenet5-fashion-mnist.onnx --store fp64 -o weights.stw; echo $?
stoic store models/lenet5-fashion-mnist.onnx --store fp16 -o models/lenet5-fashion-mnist.onnx; echo $?
stoic harden models/lenet5-fashion-mnist.onnx --pass tmr -o hard.onnx >/dev/null
stoic store hard.onnx --store int8 -o weights.stw 2>&1 | cut -c-120; rm *.onnx
stoic store --store fp16; echo $?
ls
