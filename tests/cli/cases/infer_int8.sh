# Activations of 8 bits: calibrated on training images, the same whatever the threads; what cannot.
model=models/lenet5-fashion-mnist.onnx
data="--data fashion-mnist:train --images 500"
for store in affine:8 affine:5,code=msb3 int8,code=secded72 int8,code=zerospace64,granularity=channel; do
    stoic store $model --store $store $data --calibrate 500 -o f.stw >/dev/null || exit 1
    for activations in fp32 int8; do
        stoic infer f.stw --data fashion-mnist --activations $activations | grep -E '^(store|activations|correct) '
    done
done
run="stoic infer f.stw --data fashion-mnist --images 300 --batch 70 --activations int8 --fault ber:1e-5 --format json"
$run --threads 1 >a; $run --threads 3 >b
sed 's/"\(seconds\|images_per_second\)": [^,}]*//g' a >c; sed 's/"\(seconds\|images_per_second\)": [^,}]*//g' b | cmp c -
grep -o '"activations": "[^"]*"' a
# the same calibration writes the same bytes, and nothing but it
stoic store $model --store int8 $data --calibrate 100 -o f.stw >/dev/null
stoic store $model --store int8 $data --calibrate 100 -o g.stw >/dev/null; cmp f.stw g.stw
stoic store $model --store int8 -o g.stw >/dev/null; cmp -l f.stw g.stw | grep -c .
stoic store $model --store fp16 $data --calibrate 100 -o h.stw; echo $?
stoic store $model --store int8/fc2=fp16 $data --calibrate 100 -o h.stw; echo $?
stoic store $model --store int8 $data --calibrate 100; echo $?
stoic store $model --store int8 --calibrate 100 -o h.stw; echo $?
