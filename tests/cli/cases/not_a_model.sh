: >empty.onnx
stoic info empty.onnx; echo $?
printf 'this is not a model' >text.onnx
stoic info text.onnx; echo $?
head -c 1000 models/lenet5-fashion-mnist.onnx >short.onnx
stoic info short.onnx; echo $?
mkdir folder.onnx
stoic info folder.onnx; echo $?
