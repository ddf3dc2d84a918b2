# A hardened network in the other verbs; every short cut gives what running everything gives.
stoic harden models/lenet5-fashion-mnist.onnx --pass nan-filter --pass ranger --pass smartpool \
    --data fashion-mnist --images 100 -o hard.onnx --quiet >hard.out
for engine in auto full; do
    stoic inject hard.onnx --data fashion-mnist --images 40 --fault flips:2,bits=exponent \
        --trials 60 --engine $engine -o $engine.db --quiet >$engine.out
    stoic records $engine.db --format csv >$engine.csv
done
cmp auto.csv full.csv && echo the same records
stoic store hard.onnx --store fp16,scale=max:1.9999 | grep ^stored
stoic new resnet20,channels=1,size=28 -o new.onnx >new.out
stoic harden new.onnx --pass invert --pass relu6 --pass nan-filter -o conv.onnx >conv.out
stoic train conv.onnx --data fashion-mnist --images 128 --test fashion-mnist --test-images 50 \
    --epochs 1 --batch 64 --fault map:block,share=0.75 -o trained.onnx --quiet >train.out
stoic eval trained.onnx --data fashion-mnist --images 100 | grep -v accuracy | grep ^images
stoic info trained.onnx | grep hardening
