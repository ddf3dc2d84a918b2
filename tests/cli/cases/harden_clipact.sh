# Thresholds are the machine's in their last digits, and what is tuned on depends on no thread.
net=models/lenet5-fashion-mnist.onnx
for threads in 1 2; do
    stoic harden $net --pass clipact --data fashion-mnist --images 60 --threads $threads \
        -o $threads.onnx >$threads.out
done
cmp 1.onnx 2.onnx && echo the same file
sed -E 's/[0-9.]+ becomes/T becomes/; /^time/d' 1.out | tail -5
stoic harden 1.onnx --pass clipact --data fashion-mnist --images 60 -o again.onnx | grep -A2 ^passes
