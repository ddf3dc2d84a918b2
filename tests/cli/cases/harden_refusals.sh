net=models/lenet5-fashion-mnist.onnx
for pass in relu7 relu6:2 bound bound:0 bound:-3 bound:nan ranger:0 clipact:2 fitact:1 abft:2 \
    duplicate:0.1; do
    stoic harden $net --pass $pass --data fashion-mnist -o out.onnx; echo $?
done
stoic harden $net -o out.onnx; echo $?
stoic harden $net --pass relu6; echo $?
stoic harden $net --pass ranger -o out.onnx; echo $?
stoic harden $net --pass invert -o out.onnx; echo $?
stoic harden models/lenet5-sigmoid.onnx --pass nan-filter --pass relu6 -o out.onnx; echo $?
cp $net mine.onnx
stoic harden mine.onnx --pass relu6 -o mine.onnx; echo $?
stoic harden models/resnet20-cifar10.onnx --pass ranger --data fashion-mnist -o out.onnx; echo $?
ls out.onnx
