# Every way of training under faults, and the network that comes out needs no options.
train() {
    stoic train models/lenet5-fashion-mnist.onnx --data fashion-mnist --images 500 --epochs 1 \
        --test none --lr 0.001 --format csv "$@" | cut -d, -f1,5
}
train -o sign.onnx --fault flips:10,bits=sign
train -o fixed.onnx --fault flips:10,bits=mantissa,fixed=7
train -o rate.onnx --fault ber:1e-4,bits=mantissa
train -o map.onnx --fault map:block,share=0.75
train -o both.onnx --fault map:line,share=0.5 --fault flips:1,bits=sign
for name in sign fixed rate map both; do
    stoic eval $name.onnx --data fashion-mnist --images 100 | grep preprocessing
done
for name in sign fixed rate map both; do
    cmp -s $name.onnx models/lenet5-fashion-mnist.onnx && echo $name: untrained
done
[ "$(cat sign.onnx fixed.onnx rate.onnx map.onnx both.onnx | wc -c)" -gt 2500000 ] && echo all there
