# Fewer trials than the file holds: the plan stays, no number is rounded to a chunk.
for trials in 100 50 100; do
    stoic inject models/lenet5-fashion-mnist.onnx --data fashion-mnist --images 10 \
        --trials $trials --fault flips:1,bits=sign -o run.db --quiet | grep '^trials'
done
