# Threads, shards, memory and continuing change nothing.
run="stoic inject models/lenet5-fashion-mnist.onnx --data fashion-mnist --images 60 --fault flips:2"
$run --trials 30 --threads 1 -o one.db >/dev/null
$run --trials 30 --threads 2 --memory 256M -o two.db >/dev/null
$run --trials 10 -o more.db >/dev/null
$run --trials 30 -o more.db >/dev/null
for i in 1 2 3; do $run --trials 30 --shard $i/3 -o part$i.db >/dev/null; done
stoic merge -o all.db part1.db part3.db part2.db >/dev/null
for name in one two more all; do
    stoic records $name.db --format csv -o $name.csv
    stoic records $name.db --sites --format csv -o $name.sites
    cmp one.csv $name.csv && cmp one.sites $name.sites && echo same
done
wc -l <one.csv
