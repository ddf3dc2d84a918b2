# The bounds are the network's largest values: their last digits are the machine's.
net=models/lenet5-fashion-mnist.onnx
rounded() { sed -E 's/([0-9]+)\.[0-9]+/\1.x/g'; }
stoic harden $net --pass ranger --pass smartpool:2 --data fashion-mnist --images 200 \
    -o hard.onnx | rounded
stoic harden $net --pass ranger:90 --data fashion-mnist --threads 1 -o a.onnx | grep profiled
stoic harden $net --pass ranger:90 --data fashion-mnist:train --threads 2 -o b.onnx >b.out
cmp a.onnx b.onnx && echo the same file
stoic new resnet20,channels=1,size=28 -o none.onnx >none.out
stoic harden none.onnx --pass smartpool --data fashion-mnist --images 10 -o c.onnx | grep -A1 ^passes
