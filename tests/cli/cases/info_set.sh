stoic info models/lenet5-fashion-mnist.onnx --set mean=0.5 --set crop=28 --set std= -o own.onnx
stoic info own.onnx | grep -E 'mean|std|crop' | grep metadata
stoic info own.onnx --set size=3 -o x.onnx; echo $?
stoic info own.onnx --set mean=0.5,a -o x.onnx; echo $?
stoic info own.onnx --set mean -o x.onnx; echo $?
stoic info own.onnx --set crop=-1 -o x.onnx; echo $?
ls
