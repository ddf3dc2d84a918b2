# Neither the batch nor the number of threads changes a byte of the outputs.
run="stoic eval models/lenet5-fashion-mnist.onnx --data fashion-mnist --images 100"
$run --threads 1 --logits a.npy | grep correct
$run --threads 2 --batch 7 --logits b.npy | grep correct
$run --reference | grep correct
cmp a.npy b.npy && wc -c <a.npy
python3 - <<'END'
head = open("a.npy", "rb").read(128)
print(head[:6], int.from_bytes(head[8:10], "little"), head[10:].decode().strip())
END
