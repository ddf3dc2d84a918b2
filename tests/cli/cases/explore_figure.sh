stoic explore models/lenet5-fashion-mnist.onnx --data fashion-mnist --images 50 \
    --store 'affine:{M},code=msb3' --width 3-4 --ber 1e-3 --trials 2 --all --figure figures \
    -o found.csv --format csv
head -1 found.csv
ls figures
sed 's/,code/ code/' figures/explore-drop.csv | cut -d, -f1-4
