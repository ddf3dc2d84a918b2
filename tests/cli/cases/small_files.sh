# Files may not grow beyond some size, as on a full disk: one line each, nothing half-written.
stoic new lenet5 -o lenet5.onnx >/dev/null
run="stoic inject lenet5.onnx --data fashion-mnist --images 100 --trials 2000 --fault flips:50"
(
    ulimit -f 100
    stoic new lenet5 -o big.onnx; echo $?
    stoic eval lenet5.onnx --data fashion-mnist --logits big.npy; echo $?
    $run -o run.db; echo $?
)
ls
