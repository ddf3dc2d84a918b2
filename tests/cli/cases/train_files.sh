# Nothing that is read here is overwritten, and what cannot be written is said before the training.
cp models/lenet5-fashion-mnist.onnx net.onnx
ln net.onnx same.onnx
train() { stoic train net.onnx --data fashion-mnist --images 300 --epochs 1 --lr 0.01 "$@"; echo $?; }
train -o net.onnx
train -o ./same.onnx
train -o y.onnx --best net.onnx
train -o y.onnx --best y.onnx
train -o y.onnx --best y.csv
train -o y.onnx --checkpoint net.onnx
echo layer,index,bit >y.csv
train -o y.onnx --fault list:y.csv
rm y.csv
train -o none/y.onnx
train -o models
train -o y.onnx --best none/b.onnx
train -o y.onnx --checkpoint none/c
echo >y.onnx.checkpoint
train -o y.onnx
rm y.onnx.checkpoint
# A device takes the network alone.
train -o /dev/null --quiet >/dev/null
train -o /dev/full
# Names of one's own.
train -o y.onnx --best none --test-images 50 >/dev/null
train -o z --best b.onnx --test-images 50 --checkpoint c >/dev/null
ls
