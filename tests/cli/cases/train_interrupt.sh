# Stopped by a signal: status 130, nothing on stdout, a checkpoint, the command that goes on; and
# it goes on, to the bytes of an undisturbed training.
train="stoic train models/lenet5-fashion-mnist.onnx --data fashion-mnist --images 400 --test none"
train="$train --epochs 8 --lr 0.01 --batch 2 --threads 1"
stop() { # CURVES OPTION...: after the first epoch
    curves=$1
    shift
    $train "$@" >out 2>err &
    tries=600
    until [ -e "$curves" ] || [ $((tries -= 1)) -eq 0 ]; do sleep 0.05; done
    kill -TERM $!
    wait $!; echo $?
}
stop 'my net.csv' -o 'my net.onnx'
cat out
grep -A1 'to go on' err
ls 'my net.onnx'* | cat
$train -o 'my net.onnx'; echo $?
sed -n '/^to go on:/{n;p;}' err >again
sh again >/dev/null; echo $?
$train -o whole.onnx >/dev/null
cmp whole.onnx 'my net.onnx' && echo same
ls my*
# Without a checkpoint there is nothing to go on from.
stop other.csv -o other.onnx --checkpoint none
grep -c 'to go on' err
ls other*
