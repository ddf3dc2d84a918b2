# Stopped by a signal: status 130, the command that goes on if there is one, no temporary files.
mkdir temporary
TMPDIR=$PWD/temporary
export TMPDIR
for keep in '--keep kept' ''; do
    stoic explore models/lenet5-fashion-mnist.onnx --data fashion-mnist --store 'affine:{M}' \
        --ber 1e-3 --all --trials 1000000 $keep >out 2>err &
    sleep 1
    kill -TERM $!
    wait $!; echo $?
    cat out err
    ls temporary
done
