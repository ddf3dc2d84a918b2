# The PVF is the critical rate; the bits are those that the faults were drawn from.
run() { # FILE OPTIONS
    file=$1
    shift
    stoic inject models/lenet5-fashion-mnist.onnx --data fashion-mnist --images 20 "$@" -o $file \
        >/dev/null
}
run one.db --fault flips:1 --trials 200
run part.db --fault flips:1,layer=0,bits=exponent --trials 200
run all.db --fault exhaustive,layer=0,bits=30
run two.db --fault flips:2 --trials 5
run stuck.db --fault stuck0 --trials 5
run pair.db --fault flips:1 --fault stuck0 --trials 5
run shard.db --fault exhaustive,layer=0,bits=exponent --shard 1/2
for file in one part all; do stoic fit $file.db --raw-fit-mbit 500 --hours 87660; done
for file in two stuck pair shard; do stoic fit $file.db --raw-fit-mbit 500; echo $?; done
stoic fit one.db --raw-fit-mbit 500 -o one.db; echo $?
stoic fit one.db part.db --raw-fit-mbit 500; echo $?
stoic fit none.db --raw-fit-mbit 500; echo $?
echo no campaign >bad.db
stoic fit bad.db --raw-fit-mbit 500; echo $?
