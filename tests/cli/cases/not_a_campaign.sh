: >empty.db
stoic records empty.db; echo $?
printf 'this is not a database' >text.db
stoic records text.db; echo $?
head -c 1000 models/lenet5-fashion-mnist.onnx >model.db
stoic records model.db; echo $?
