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
# All faults there are, or none of them; numbers of layers that a pass gives to others.
compare --fault exhaustive,layer=fc3,bits=29-30 --with store:int8
stoic inject models/lenet5-fashion-mnist.onnx --data fashion-mnist --images 20 --quiet \
    --fault exhaustive,layer=fc3,bits=30 -o ranks.db >/dev/null
compare --fault flips:1,layer=3+4 --with pass:duplicate:1 --sensitivity ranks.db
compare --fault exhaustive,layer=fc3,bits=29-30 --trials 1680 --with store:fp32,protect=30 \
    --format json | grep -o '"coverage[^,]*,'
