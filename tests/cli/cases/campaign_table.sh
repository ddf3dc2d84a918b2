stoic inject models/lenet5-fashion-mnist.onnx --data fashion-mnist --images 50 --trials 10 \
    --fault exhaustive,layer=4,bits=31 --by layer,bit -o run.db --quiet
