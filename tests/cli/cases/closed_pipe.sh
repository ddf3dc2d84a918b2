# The reader is gone before the first line is written, or leaves after it: no message, and the status
# that other tools have, 128 + SIGPIPE.
{ sleep 0.2; stoic new --list; echo $? >&2; } | true
{ sleep 0.2; stoic eval models/lenet5-fashion-mnist.onnx --data fashion-mnist --images 20; echo $? >&2; } | true
stoic inject models/lenet5-fashion-mnist.onnx --data fashion-mnist --images 10 --fault ber:1e-4 \
    --trials 1000 -o run.db >/dev/null
for format in table csv json; do
    { stoic records run.db --sites --format $format; echo $? >&2; } | head -c 20 >/dev/null
done
# What was to be done is done.
{ sleep 0.2; stoic inject models/lenet5-fashion-mnist.onnx --data fashion-mnist --images 10 \
    --fault flips:1 --trials 20 -o quiet.db; echo $? >&2; } | true
stoic records quiet.db --format csv | wc -l
# Where the signal is ignored, as some parents have it, it is an error like others.
(trap '' PIPE; { sleep 0.2; stoic new --list; echo $? >&2; } | true)
# Only of standard output: a pipe that -o names is a file like others.
mkfifo fifo
{ sleep 0.2 <fifo; } &
stoic records run.db --sites -o fifo; echo $?
# Nobody at the other end of the other streams.
stoic version --format json <&- >/dev/null; echo $?
{ sleep 0.2; stoic info none.onnx 2>&1 >out; echo $? >>out; } | true
cat out
stoic info none.onnx 2>&-; echo $?
