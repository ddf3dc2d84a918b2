# What a training prints and leaves behind; the numbers themselves depend on the instruction set.
stoic train models/lenet5-fashion-mnist.onnx --data fashion-mnist --images 600 --test-images 200 \
    --epochs 2 --lr 0.01 --threads 1 -o trained.onnx >out 2>err; echo $?
cat err
# Columns are as wide as their numbers are long.
tr -s ' ' <out | sed -E -e 's/^( [12]) .* 0\.01 [0-9.e-]+$/\1 NUMBERS/' -e 's/(epoch|accuracy) [0-9.]+/\1 N/g' \
    -e 's/^(time ).*/\1T/'
ls
