attack() {
    stoic attack models/lenet5-fashion-mnist.onnx --data fashion-mnist --images 20 --quiet "$@" || echo "exit $?"
}
attack
attack --flips 0
attack --flips 1 --below 1.5
attack --flips 1 --candidates some
attack --flips 1 --layer 9
attack --flips 1 --store int8 --bits exponent
attack --flips 1 --tensor bias
attack --flips 1 -o models/lenet5-fashion-mnist.onnx
# nothing goes back through a comparison of runs
stoic harden models/lenet5-fashion-mnist.onnx --pass tmr -o tmr.onnx --quiet >/dev/null
stoic attack tmr.onnx --data fashion-mnist --images 20 --flips 1 --quiet || echo "exit $?"
stoic harden models/lenet5-fashion-mnist.onnx --pass abft -o abft.onnx --quiet >/dev/null
stoic attack abft.onnx --data fashion-mnist --images 20 --flips 1 --quiet || echo "exit $?"
ls
