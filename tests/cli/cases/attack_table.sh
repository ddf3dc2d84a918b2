# A code makes two flips of one; nothing is left to lose; threads change nothing.
attack() {
    stoic attack models/lenet5-fashion-mnist.onnx --data fashion-mnist --images 40 --quiet "$@"
}
attack --store fp32,code=tmr --layer 4 --flips 2 --candidates 10
attack --flips 3 --candidates 10 --layer 0
attack --store affine:4,code=msb3 --flips 1 --bits 3+4+5
attack --store int8 --layer 4 --bits sign --below 0.85 --candidates all --format csv --threads 1 >one
attack --store int8 --layer 4 --bits sign --below 0.85 --candidates all --format csv --threads 3 >three
cmp one three && cut -d, -f1-11,13 one
