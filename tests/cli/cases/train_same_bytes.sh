# Threads and interruptions change nothing.
train="stoic train models/lenet5-fashion-mnist.onnx --data fashion-mnist --images 1000 --epochs 3"
train="$train --test-images 300 --lr 0.01 --schedule cosine --weight-decay 1e-4 --augment crop:2,flip"
without_seconds() { cut -d, -f1-5 "$1"; }
same() { # NAME
    cmp one.onnx $1.onnx && cmp one.best.onnx $1.best.onnx && without_seconds $1.csv >numbers &&
        without_seconds one.csv | cmp - numbers && echo $1: same
}
$train --threads 1 -o one.onnx >/dev/null
$train --threads 2 -o two.onnx >/dev/null && same two
$train --seed 1 -o seed.onnx >/dev/null
cmp -s one.onnx seed.onnx || echo seed: different
# Stopped again and again, at other places on every machine.
for after in 0.4 0.5 0.6 0.7 0.8 1; do
    timeout -s TERM $after $train --threads 1 --resume -o resumed.onnx >/dev/null 2>&1
done
$train --threads 2 --resume -o resumed.onnx >/dev/null && same resumed
ls resumed.*
