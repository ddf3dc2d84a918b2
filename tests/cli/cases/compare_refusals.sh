compare() {
    stoic compare models/lenet5-fashion-mnist.onnx --data fashion-mnist --images 20 --trials 2 --quiet "$@" || echo "exit $?"
}
compare --with all
compare --fault flips:1
compare --fault flips:1 --with int8
compare --fault flips:1 --with store:int9
compare --fault flips:1 --with pass:relu7
compare --fault flips:1 --with model:none.onnx
compare --fault flips:1 --with model:models/resnet20-cifar10.onnx
compare --fault flips:1,bits=exponent --with store:int8
compare --fault flops:1 --with store:int8
compare --fault flips:1 --with store:int8 --trials 1
