run="stoic inject models/lenet5-fashion-mnist.onnx --data fashion-mnist --images 20 -o run.db"
$run --fault map; echo $?
$run --fault map:blok; echo $?
$run --fault map:block,bits=3; echo $?
$run --fault map:block,value=ramp; echo $?
$run --fault map:block,layer=4; echo $?
$run --fault map:single,layer=fc1; echo $?
$run --fault map:block --fault map:line; echo $?
$run --fault map:scatter,n=11; echo $?
$run --fault map:single --trials 3 --quiet --images-per-trial 1 >/dev/null
stoic fit --raw-fit-mbit 1 run.db; echo $?
$run --fault map:single,value=random --trials 3; echo $?
