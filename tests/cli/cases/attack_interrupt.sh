# Stopped by a signal: status 130, and what was found until then.
stoic attack models/lenet5-fashion-mnist.onnx --data fashion-mnist --images 2000 --layer 1 --flips 1 \
    --candidates all -o found.csv >out 2>err &
sleep 2
kill -TERM $!
wait $!; echo $?
sed 's|[0-9]* evaluated|N evaluated|' out
cat err found.csv
