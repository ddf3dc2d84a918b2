# Bounds are the machine's in their last digits, and do not depend on threads.
net=models/lenet5-fashion-mnist.onnx
for threads in 1 2; do
    stoic harden $net --pass fitact --data fashion-mnist --images 200 --threads $threads \
        -o $threads.onnx >$threads.out
done
cmp 1.onnx 2.onnx && echo the same file
sed -E 's/ from [0-9.e-]+ to [0-9.]+/ from A to B/; /^time/d' 1.out
stoic harden 1.onnx --pass fitact --data fashion-mnist --images 200 -o again.onnx | grep -A2 ^passes
stoic harden 1.onnx --pass invert -o inverted.onnx
