stoic info --format csv models/lenet5-fashion-mnist.onnx | head -1 | cut -d, -f1-3
stoic info -- models/lenet5-fashion-mnist.onnx --format csv; echo $?
stoic new -v lenet5 --seed=0x10 -o x.onnx --quiet
