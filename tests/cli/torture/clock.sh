# A wall clock that jumps back and forth: the same bytes, in the same time, and no time is negative.

${CC:-cc} -O1 -fPIC -shared -o jumping.so "$FOLDER/jumping.c" -ldl || fail 'jumping.so is built' ''
jump="env LD_PRELOAD=$PWD/jumping.so"
check 'the clock jumps' $jump $PYTHON -c '
import time
times = [time.time() for i in range(8)]
assert any(b < a - 1000 for a, b in zip(times, times[1:])), times'

run="stoic inject $LENET --data fashion-mnist --images 200 --fault flips:1 --threads 2"
for design in '--trials 2000' '--sampling stratified --trials 2000' '--margin 0.02 --max-trials 5000'; do
    rm -f ./*.db
    $run $design -o plain.db >/dev/null
    bytes plain.db >expected
    check "jumping clock: inject $design" timeout $LIMIT $jump JUMP_COUNT=count \
        $run $design --format json -o jump.db
    same "jumping clock: inject $design: records" expected jump.db
    seconds=$(sed -n 's/.*"seconds": \([0-9.e-]*\).*/\1/p' log)
    awk "BEGIN { exit !($seconds > 0 && $seconds < $LIMIT) }" &&
        pass "jumping clock: inject $design: time" || fail "jumping clock: inject $design: time" "$seconds s"
    [ "$(cat count)" -gt 0 ] && pass "jumping clock: inject $design: it was asked" ||
        fail "jumping clock: inject $design: it was asked" ''
done

# Stopped and continued under it; what is done reaches the file within a second.
long="stoic inject $LENET --data fashion-mnist --images 500 --fault ber:1e-6 --threads 1 --trials 400"
rm -f ./*.db
$long -o plain.db >/dev/null
bytes plain.db >expected
$jump $long -o jump.db >/dev/null 2>&1 &
until [ -e jump.db-lock ]; do sleep 0.01; done
tries=100
until [ "$(stoic records jump.db --format csv 2>/dev/null | wc -l)" -gt 3 ] || [ $((tries -= 1)) -eq 0 ]; do
    sleep 0.1
done
kill -KILL $!
wait $! 2>/dev/null
[ $tries -gt 0 ] && pass 'jumping clock: trials are committed on the way' ||
    fail 'jumping clock: trials are committed on the way' ''
check 'jumping clock: it goes on' timeout $LIMIT $jump $long -o jump.db
same 'jumping clock: to the same bytes' expected jump.db

train="stoic train $LENET --data fashion-mnist --images 800 --test none --epochs 4 --batch 4 --lr 0.005"
train="$train --threads 1"
check 'jumping clock: undisturbed training' timeout 120 $train -o plain.onnx
$jump $train -o jump.onnx >/dev/null 2>&1 &
tries=600
until [ -e jump.onnx.checkpoint ] || [ $((tries -= 1)) -eq 0 ]; do sleep 0.05; done
kill -KILL $!
wait $! 2>/dev/null
[ -e jump.onnx.checkpoint ] && pass 'jumping clock: a checkpoint' || fail 'jumping clock: a checkpoint' ''
check 'jumping clock: training goes on' timeout 120 $jump $train --resume -o jump.onnx
cmp -s plain.onnx jump.onnx && pass 'jumping clock: the network' || fail 'jumping clock: the network' ''
