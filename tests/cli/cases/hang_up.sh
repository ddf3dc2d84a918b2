# The terminal closes: as SIGTERM, and a second SIGHUP, which shells send, changes nothing. What is done
# is kept, and the command that goes on is printed. Under nohup nothing happens.
run="stoic inject models/lenet5-fashion-mnist.onnx --data fashion-mnist --images 500"
run="$run --fault ber:1e-6 --threads 1"
hears="env --default-signal=HUP" # what starts the tests may ignore it, as nohup does
started() { tries=600; until [ -e "$1" ] || [ $((tries -= 1)) -eq 0 ]; do sleep 0.05; done; }
$hears $run --trials 100000 -o run.db >out 2>err &
started run.db
sleep 1
kill -HUP $!
kill -HUP $! 2>/dev/null
wait $!; echo $?
cat out
grep -A1 'to go on' err
stoic records run.db --format csv -o stopped.csv
trials=$(($(wc -l <stopped.csv) - 1))
[ $trials -gt 0 ] || echo 'no complete trial'
$run --trials $trials -o whole.db >/dev/null
stoic records whole.db --format csv | cmp - stopped.csv && echo same
(trap '' HUP; exec $run --trials 300 -o kept.db >/dev/null 2>kept.err) &
started kept.db
kill -HUP $!
wait $!; echo $?
cat kept.err
# A training has its checkpoint, and goes on to the same bytes.
train="stoic train models/lenet5-fashion-mnist.onnx --data fashion-mnist --images 400 --test none"
train="$train --epochs 8 --lr 0.01 --batch 2 --threads 1"
$hears $train -o net.onnx >out 2>err &
started net.csv
kill -HUP $!
kill -HUP $! 2>/dev/null
wait $!; echo $?
cat out
sed -n '/^to go on:/{n;p;}' err >again
sh again >/dev/null; echo $?
$train -o whole.onnx >/dev/null
cmp whole.onnx net.onnx && echo same
