stoic harden models/resnet20-cifar10.onnx --pass invert --pass tmr -o hard.onnx --format json
stoic info hard.onnx --format csv | wc -l
