explore() {
    stoic explore models/lenet5-fashion-mnist.onnx --data fashion-mnist --images 100 \
        --store 'affine:{M}' --trials 2 --ber 1e-3 --quiet "$@"
}
explore --width 2 --min-accuracy 0.8 --max-drop 0.1 | sed -n '2,3p;/^tried/,$p'
explore --width 2-3 --all --lifetime-flips 1 | sed -n '/^tried/,$p'
