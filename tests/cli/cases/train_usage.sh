train() { stoic train models/lenet5-fashion-mnist.onnx --data fashion-mnist -o y.onnx "$@"; echo $?; }
stoic train; echo $?
stoic train models/lenet5-fashion-mnist.onnx -o y.onnx; echo $?
stoic train models/lenet5-fashion-mnist.onnx --data fashion-mnist; echo $?
train other.onnx
train --optimiser sdg
train --optimizer sgd
train --loss mse
train --lr -1
train --lr nan
train --momentum 1.5
train --clip inf
train --epochs 0
train --batch 0
train --warmup -1
train --test none --test-images 3
train --test none --best b.onnx
train --resume --checkpoint none
train --test no-such-set
ls
