# Stopped by a signal: status 130, the command that goes on, complete trials that are those of an
# undisturbed run; and it does go on.
run="stoic inject models/lenet5-fashion-mnist.onnx --data fashion-mnist --images 500"
run="$run --fault ber:1e-6 --threads 1"
$run --trials 100000 -o 'my run.db' >out 2>err &
sleep 1
kill -TERM $!
wait $!; echo $?
cat out
grep -A1 'to go on' err
stoic records 'my run.db' --format csv -o stopped.csv
trials=$(($(wc -l <stopped.csv) - 1))
[ $trials -gt 0 ] || echo 'no complete trial'
$run --trials $trials -o whole.db >/dev/null
stoic records whole.db --format csv | cmp - stopped.csv && echo same
$run --trials $((trials + 10)) -o 'my run.db' >/dev/null
[ $(stoic records 'my run.db' --format csv | wc -l) -ge $((trials + 11)) ] && echo continued
