# Every allocation in turn fails, and every write: exit status 1 and one line, or success; what was
# committed stays, and the same command goes on to the same bytes. EVERY=N tries each Nth alone.

${CC:-cc} -O1 -fPIC -shared -o failing.so "$FOLDER/failing.c" -ldl || fail 'failing.so is built' ''
$PYTHON - <<'END'
import numpy as np
np.save("images.npy", np.random.RandomState(3).randint(0, 256, (20, 1, 28, 28)).astype(np.uint8))
np.save("labels.npy", np.arange(20) % 10)
END
few=npy:images.npy,labels.npy
inject="inject $LENET --data $few --fault flips:1 --trials 5 --threads 1 -o run.db"
stoic inject $LENET --data $few --fault flips:1 --trials 5 -o whole.db >/dev/null
bytes whole.db >expected

broken() { # VARIABLE=VALUE COMMAND...: as it must end; afterwards it goes on
    setting=$1
    shift
    rm -f run.db* made.*
    timeout -s KILL $LIMIT env "$setting" LD_PRELOAD="$PWD/failing.so" stoic "$@" >out 2>err </dev/null
    status=$?
    case $status in
    0) ;;
    1) [ "$(wc -l <err)" -eq 1 ] && grep -q '^stoic' err || { cat err; return 1; } ;;
    *) cat err; return 1 ;;
    esac
    [ "$1" != inject ] || { stoic "$@" >/dev/null 2>err && bytes run.db | cmp -s - expected; }
}

each() { # NAME VARIABLE SUFFIX MOST COLUMN COMMAND...
    name=$1 variable=$2 suffix=$3 most=$4 column=$5
    shift 5
    rm -f run.db* made.*
    env FAIL_COUNT=count LD_PRELOAD="$PWD/failing.so" stoic "$@" >out 2>err || fail "$name" 'it fails alone' err
    there=$(cut -d ' ' -f "$column" count)
    [ "$there" -lt "$most" ] || there=$most
    at=1 bad=''
    while [ $at -le "$there" ]; do
        broken "$variable=$at$suffix" "$@" >broken.log 2>&1 ||
            bad="$bad $at ($status: $(head -c 100 broken.log))"
        at=$((at + ${EVERY:-1}))
    done
    [ -z "$bad" ] && [ "$there" -gt 0 ] && pass "$name: $there" || fail "$name: of $there" "$bad"
}

each 'allocations of store' FAIL_ALLOCATION '' 1000000 1 store $LENET --store fp16
each 'allocations of eval' FAIL_ALLOCATION '' 1000000 1 eval $LENET --data $few
each 'allocations of inject' FAIL_ALLOCATION '' 1000000 1 $inject
each 'allocations of train' FAIL_ALLOCATION '' 1000000 1 train $LENET --data $few --epochs 1 \
    --batch 10 --threads 1 -o made.onnx
each 'writes of inject, disk full' FAIL_WRITE :28 500 2 $inject
each 'writes of inject, input/output error' FAIL_WRITE :5 500 2 $inject
each 'writes of train, disk full' FAIL_WRITE :28 500 2 train $LENET --data $few --epochs 1 \
    --batch 10 --threads 1 -o made.onnx
