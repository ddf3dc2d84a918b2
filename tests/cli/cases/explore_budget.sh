# a store for each layer: losses, mixtures, the choice; kept files are used again
explore() {
    stoic explore models/lenet5-fashion-mnist.onnx --data fashion-mnist --images 100 \
        --store 'affine:{M},code=msb3' --width 3-4 --trials 2 --ber 1e-3 --quiet "$@"
}
explore --budget 500k --keep kept | sed -n '/^losses/,/^chosen/p'
ls kept | wc -l
explore --budget 500k --keep kept --format json | tr ',' '\n' | grep -c '"pareto": true'
explore --budget 500k --all || echo "exit $?"
explore --budget 300k || echo "exit $?"
