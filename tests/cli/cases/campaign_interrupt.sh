# Stopped by a signal, then continued: 130, the command that goes on, the same records.
run="stoic inject models/lenet5-fashion-mnist.onnx --data fashion-mnist --fault ber:1e-6 --threads 1"
$run --trials 400 -o 'my run.db' >out 2>err &
sleep 0.7
kill -TERM $!
wait $!; echo $?
cat out
grep -A1 'goes on' err
$run --trials 3 -o 'my run.db' | grep trials
