net=models/lenet5-fashion-mnist.onnx
stoic harden $net --pass relu6 --pass nan-filter -o hard.onnx
echo
# again: nothing is left to do
stoic harden hard.onnx --pass nan-filter --pass relu6 -o again.onnx
stoic info again.onnx | grep hardening
echo
stoic harden $net --pass bound:2.5 -o bound.onnx --format csv
stoic eval hard.onnx --data fashion-mnist --images 500 | grep ^accuracy
