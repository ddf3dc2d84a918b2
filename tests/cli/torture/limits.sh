# Address spaces from what the program needs to start up to what the work takes (`ulimit -v`): one line
# each, of memory or threads; what was committed stays. STEP=N: kilobytes between two.

lenet=$PWD/$LENET few="--data fashion-mnist --images 40"
stoic store $lenet --store int8 $few --calibrate 40 -o lenet.stw >/dev/null
stoic new resnet20 -o resnet.onnx >/dev/null
$PYTHON - <<'END'
import numpy as np
np.save("images.npy", np.random.RandomState(3).randint(0, 256, (12, 3, 32, 32)).astype(np.uint8))
np.save("labels.npy", np.arange(12) % 10)
END
colour=npy:images.npy,labels.npy
least=20000
until (ulimit -v $least && stoic version) >/dev/null 2>&1; do least=$((least + 500)); done

limited() { # NAME COMMAND...: with every limit up to the first three that are enough
    name=$1
    shift
    at=$least enough=0 refused=0 bad=''
    while [ $enough -lt 3 ] && [ ${#bad} -lt 1000 ]; do
        rm -f made*
        (ulimit -v $at; timeout -s KILL $LIMIT "$@" >limit.out 2>limit.err </dev/null)
        status=$?
        if [ $status -eq 0 ]; then
            enough=$((enough + 1))
        else
            enough=0 refused=$((refused + 1))
            [ $status -eq 1 ] && [ "$(wc -l <limit.err)" -eq 1 ] &&
                grep -qE '^stoic[^:]*: .*(out of memory|thread)' limit.err ||
                bad="$bad $at kB: status $status, $(head -c 100 limit.err | tr '\n' ' ')"
        fi
        at=$((at + ${STEP:-700}))
    done
    [ -z "$bad" ] && [ $refused -gt 0 ] && [ $enough -eq 3 ] && pass "$name: $refused limits" ||
        fail "$name: of $refused limits" "$bad"
}
for threads in 1 3; do
    limited "eval, $threads threads" stoic eval $lenet $few --threads $threads
    limited "inject, $threads threads" stoic inject $lenet $few --fault flips:1 --trials 20 \
        --threads $threads -o made.db
    limited "train, $threads threads" stoic train $lenet $few --epochs 1 --batch 10 --test none \
        --threads $threads -o made.onnx
done
limited store stoic store $lenet --store int8,code=secded72 $few -o made.stw
limited infer stoic infer lenet.stw $few --threads 2
limited 'infer, int8' stoic infer lenet.stw $few --threads 2 --activations int8
limited explore stoic explore $lenet $few --store 'affine:{M}' --width 4-5 --all --ber 1e-4 --trials 2 --threads 2
limited compare stoic compare $lenet $few --fault flips:1 --trials 5 --with pass:relu6 --threads 2
limited attack stoic attack $lenet $few --flips 1 --threads 2
limited 'feature maps' stoic inject $lenet $few --fault map:single --trials 20 --threads 2 -o made.db
limited 'resnet, eval' stoic eval resnet.onnx --data $colour --threads 2
limited 'resnet, inject' stoic inject resnet.onnx --data $colour --fault flips:1 --trials 5 --threads 2 -o made.db
limited 'resnet, train' stoic train resnet.onnx --data $colour --epochs 1 --batch 6 --test none --threads 2 -o made.onnx

# A campaign that does not fit any more keeps what it has.
inject="stoic inject $lenet --data fashion-mnist --images 200 --fault flips:1 --threads 2 -o run.db"
$inject --trials 300 >/dev/null
bytes run.db >expected
at=$least
until (ulimit -v $at; $inject --trials 600 >/dev/null 2>limit.err); do
    bytes run.db >now
    grep -vxFf now expected >lost && break
    at=$((at + 5000))
done
[ ! -s lost ] && [ "$(stoic records run.db --format csv | wc -l)" -eq 601 ] && pass 'no trial is lost' ||
    fail 'no trial is lost' "at $at kB" limit.err
