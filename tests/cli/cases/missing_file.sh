stoic info none.onnx; echo $?
stoic eval none.onnx --data fashion-mnist; echo $?
stoic eval models/lenet5-fashion-mnist.onnx --data none/at/all; echo $?
stoic records none.db; echo $?
stoic merge -o all.db none.db; echo $?
