# A checkpoint of another network, data set or recipe is refused, and the message says what differs.
train="stoic train --data fashion-mnist --images 1000 --test none --lr 0.01 --batch 4 --threads 1"
net=models/lenet5-fashion-mnist.onnx
$train $net -o y.onnx >/dev/null 2>&1 &
tries=600
until [ -e y.onnx.checkpoint ] || [ $((tries -= 1)) -eq 0 ]; do sleep 0.05; done
kill -KILL $!
wait $! 2>/dev/null
cp y.onnx.checkpoint kept
stoic new lenet5 -o other.onnx >/dev/null
go_on() {
    $train --resume -o y.onnx "$@" 2>err
    echo $?
    sed -E 's/[0-9a-f]{32}/DIGEST/g' err
    cmp y.onnx.checkpoint kept
}
go_on other.onnx
go_on $net --images 999
go_on $net --lr 0.02
go_on $net --seed 1
go_on $net --fault flips:1,bits=sign
head -c 100 kept >y.onnx.checkpoint
cp y.onnx.checkpoint kept
go_on $net
