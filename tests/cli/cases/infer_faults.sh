# Faults in the live store are the same whatever the threads; scrubbing keeps errors from meeting.
stoic store models/lenet5-fashion-mnist.onnx --store int8,code=secded72 -o f.stw >/dev/null
cp f.stw before.stw
run="stoic infer f.stw --data fashion-mnist --images 600 --batch 50 --fault ber:2e-5 --seed 3"
$run --threads 1
$run --threads 3 --format json >a; $run --threads 1 --format json >b
sed 's/"\(seconds\|images_per_second\)": [^,}]*//g' a >c; sed 's/"\(seconds\|images_per_second\)": [^,}]*//g' b | cmp c -
$run --scrub 1 | grep -E 'detected  |scrubbed'
cmp f.stw before.stw
$run --scrub 2 --figure f.svg | grep -c accuracy
grep -c 'with scrubbing' f.svg
