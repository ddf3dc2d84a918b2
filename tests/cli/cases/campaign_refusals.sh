run="stoic inject models/lenet5-fashion-mnist.onnx --data fashion-mnist --images 20"
$run --fault flips:1 --trials 5 -o run.db >/dev/null
$run --fault flips:2 --trials 5 -o run.db; echo $?
$run --fault flips:1 --trials 5 --seed 1 -o run.db; echo $?
$run --fault flops:1 -o new.db; echo $?
$run --fault flips:1,layer=9 -o new.db; echo $?
$run --fault flips:1,bits=exp -o new.db; echo $?
$run --fault flips:1,layers=1 -o new.db; echo $?
$run --fault flips:1 -o none/new.db; echo $?
$run --fault flips:1 --store fp17 -o new.db; echo $?
stoic replay run.db --trial 5; echo $?
stoic merge -o all.db run.db run.db; echo $?
echo 'not a database, but long enough to look like a file of some kind' >text.db
$run --fault flips:1 -o text.db; echo $?
ls
