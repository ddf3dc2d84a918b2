# Trainings killed, stopped and without room on the disk end with the bytes of an undisturbed one.

LIMIT=120
train="stoic train $LENET --data fashion-mnist --images 800 --test-images 100 --epochs 4 --batch 4"
train="$train --lr 0.005 --schedule cosine --augment crop:2,flip --fault flips:3,bits=sign --seed 3"
check 'training: undisturbed' $train --threads 1 -o plain.onnx

trained() { # NAME FILE
    if cmp -s plain.onnx "$2.onnx" && cmp -s plain.best.onnx "$2.best.onnx"; then
        pass "$1"
    else
        fail "$1" "$2.onnx or $2.best.onnx is another network"
    fi
}

# As a power cut would, again and again.
killed=0
for i in 1 2 3 4 5 6 7 8; do
    $train --threads $((1 + i % 2)) --resume -o killed.onnx >/dev/null 2>&1 &
    sleep 0.$((3 + i % 5))
    kill -KILL $! 2>/dev/null && killed=$((killed + 1))
    wait $! 2>/dev/null
    [ -e killed.onnx ] && [ ! -e killed.onnx.checkpoint ] && break
done
check "training: goes on after $killed kills" $train --resume -o killed.onnx
trained 'training: the bytes after kills' killed
[ -e killed.onnx.checkpoint ] && fail 'training: no checkpoint stays' "$(ls)" ||
    pass 'training: no checkpoint stays'

# Names that a shell finds hard, in the command that is printed.
name="it's a \"net\" \$HOME * ?"
stop() { # SIGNAL: after the first epoch; leaves the command in `again`
    env --default-signal=HUP $train --threads 1 -o "$name.onnx" >stop.out 2>stop.err &
    tries=600
    until [ -e "$name.csv" ] || [ $((tries -= 1)) -eq 0 ]; do sleep 0.05; done
    kill "-$1" $!
    wait $!
    status=$?
    [ $status -eq 130 ] || { echo "exit status $status"; cat stop.err; return 1; }
    [ -s stop.out ] && { echo 'something on stdout'; return 1; }
    sed -n '/^to go on:/{n;p;}' stop.err >again
    [ -s again ]
}
for signal in INT TERM HUP; do
    check "training: SIG$signal: status 130 and a command" stop $signal
    check "training: SIG$signal: the command runs" sh again
    trained "training: SIG$signal: the bytes" "$name"
    rm -f "$name".*
done

# A full disk: said in the end by one line that names the file; what was complete stays.
full() { # NAME CULPRIT COMMAND...
    full_name=$1 culprit=$2
    shift 2
    "$@" >full.out 2>full.err
    status=$?
    if [ $status -ne 1 ] || ! tail -n 1 full.err | grep -qE "$culprit" || [ -s full.out ]; then
        fail "$full_name" "exit status $status" full.err
    else
        pass "$full_name"
    fi
}
mkdir small
if mount -t tmpfs -o size=4m tmpfs small 2>/dev/null; then
    mounted="$PWD/small"
    fill() { head -c 4m /dev/zero >small/filler 2>/dev/null; }
    # No room for the network: the checkpoint lies elsewhere and has everything.
    fill
    full 'full disk: the network' 'small/y.onnx: .*No space.*--resume' \
        $train -o small/y.onnx --checkpoint kept
    rm small/filler
    check 'full disk: with room again' $train -o small/y.onnx --checkpoint kept --resume
    trained 'full disk: the bytes' small/y
    rm small/*
    # No room for a second checkpoint beside the first one.
    $train --threads 1 -o plain2.onnx --checkpoint probe >/dev/null 2>&1 &
    tries=600
    until [ -e probe ] || [ $((tries -= 1)) -eq 0 ]; do sleep 0.05; done
    kill -KILL $! 2>/dev/null
    wait $! 2>/dev/null
    cp probe small/c
    fill
    cp small/c before
    full 'full disk: a checkpoint' 'small/c: .*No space' $train -o z.onnx --checkpoint small/c --resume
    cmp -s small/c before && pass 'full disk: the last good checkpoint stays' ||
        fail 'full disk: the last good checkpoint stays' "$(ls -l small)"
    rm small/filler
    check 'full disk: it goes on' $train -o z.onnx --checkpoint small/c --resume
    trained 'full disk: the bytes from the old checkpoint' z
    ls small | grep -v '^c$' >left
    [ -s left ] && fail 'full disk: nothing half-made' '' left || pass 'full disk: nothing half-made'
    umount small && mounted=''
else
    echo '# no small disk can be mounted here: cases/train_files.sh writes to /dev/full'
fi

# Checkpoints that are cut or bent: refused in one line, never read beyond their end.
$train --threads 1 -o bent.onnx >/dev/null 2>&1 &
tries=600
until [ -e bent.onnx.checkpoint ] || [ $((tries -= 1)) -eq 0 ]; do sleep 0.05; done
kill -KILL $! 2>/dev/null
wait $! 2>/dev/null
cp bent.onnx.checkpoint good
size=$(wc -c <good)
for at in 0 1 7 8 20 100 1000 $((size / 2)) $((size - 1)); do
    head -c $at good >bent.onnx.checkpoint
    refuse "checkpoint cut at $at" 'bent.onnx.checkpoint: ' $train -o bent.onnx --resume
done
for at in 0 9 40 200 $((size / 3)) $((size - 70)); do
    { head -c $at good; head -c 64 /dev/zero | tr '\0' '\377'; tail -c +$((at + 65)) good; } \
        >bent.onnx.checkpoint
    refuse "checkpoint bent at $at" 'bent.onnx.checkpoint: ' $train -o bent.onnx --resume
done
cp good bent.onnx.checkpoint
check 'checkpoint: the good one goes on' $train -o bent.onnx --resume
trained 'checkpoint: the bytes from the good one' bent
LIMIT=30
