# A command that is refused touches nothing that is there.
for file in net.onnx net.csv net.svg net.best.onnx; do echo kept >$file; done
stoic train models/lenet5-fashion-mnist.onnx --data fashion-mnist --images 100 --batch 10 \
    --fault stuck1:10,fixed=7 -o net.onnx
echo $?
cat net.onnx net.csv net.svg net.best.onnx
