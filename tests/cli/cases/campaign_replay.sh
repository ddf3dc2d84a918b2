stoic inject models/lenet5-fashion-mnist.onnx --data fashion-mnist --images 10-29 --trials 5 \
    --mean 0.3 --fault flips:1,bits=exponent-msb -o run.db >/dev/null
stoic replay run.db --trial 3 | tail -1
stoic replay run.db --trial 3 --format json | grep -o '"identical": [a-z]*'
mkdir moved && cp models/lenet5-fashion-mnist.onnx moved/m.onnx
stoic replay run.db --trial 3 --model moved/m.onnx \
    --data fashion-mnist --images 10-29 --mean 0.3 | tail -1
stoic replay run.db --trial 3 --data fashion-mnist --images 10-29 2>err; echo $?
sed "s/[0-9a-f]\{32\}/DIGEST/g" err
# what was hit, as the records have it; told apart from the other steps
stoic replay run.db --trial 3 --format json | grep -o '"sites": \[[^]]*\]' > hit
stoic records run.db --sites --trial 3 --format json | grep -o '"sites": \[[^]]*\]' | tr -d '\n' | tr '{' '\n' | tail -1
tr '{' '\n' < hit | tail -1
stoic replay run.db --trial 3 --format json | grep -c '"site 0'
