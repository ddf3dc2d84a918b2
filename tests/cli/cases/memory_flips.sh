# A bit that flips in the tool's own memory (a hook for tests): one line, status 1, no record that
# an undisturbed run has not, and going on gives its bytes. Of every kind of memory, and of the
# bits of a sweep, of computed values, and of shards.
run='stoic inject models/lenet5-fashion-mnist.onnx --data fashion-mnist --images 200 --quiet'
disturbed() { # FLIP OPTIONS…: whole.csv is the undisturbed run
    flip=$1
    shift
    rm -f flip.db*
    STOIC_DEBUG_FLIP=$flip $run "$@" -o flip.db >out 2>err
    echo "$flip: status $?$(cat out)"
    sed 's/trial [0-9]*/trial N/' err
    if stoic records flip.db --format csv >kept.csv 2>/dev/null; then
        grep -vxFf whole.csv kept.csv
    fi
    $run "$@" -o flip.db >/dev/null
    stoic records flip.db --format csv | cmp - whole.csv && echo same
}
whole() {
    rm -f whole.db*
    $run "$@" -o whole.db >/dev/null
    stoic records whole.db --format csv >whole.csv
}
set -- --fault flips:2 --trials 1500
whole "$@"
for flip in copy:20:6 weights:20:6 plan:-8:0 fault:-1:0 outputs:3:6 labels:0:0 golden:1002:6 golden:-2:6 trial:7:6
do
    disturbed $flip:700 "$@" --threads 1
done
disturbed golden:1002:6:700 "$@" --threads 3
set -- --fault exhaustive,layer=4,bits=20-31 --outcomes critical --shard 2/3
whole "$@"
disturbed golden:-2:6:2000 "$@"
set -- --fault map:single --trials 200
whole "$@"
disturbed golden:1003:6:150 "$@"
