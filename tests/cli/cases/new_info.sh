stoic new lenet5 -o a.onnx
stoic info a.onnx | head -12
stoic new lenet5 --seed=0 -o b.onnx --format csv | cut -d, -f1-3
stoic new lenet5 --seed 1 --format json -oc.onnx
cmp a.onnx b.onnx && cmp -s a.onnx c.onnx || echo 'the seed matters'
