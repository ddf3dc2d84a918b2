# The curves beside the network are what is printed as CSV; the picture is an SVG file.
stoic train models/lenet5-fashion-mnist.onnx --data fashion-mnist --images 300 --test-images 100 \
    --epochs 3 --lr 0.01 --format csv -o net.v2.onnx >out.csv
cmp out.csv net.v2.csv && echo same
cut -d, -f1,5 net.v2.csv
head -c 38 net.v2.svg; echo
grep -o 'best test' net.v2.svg
ls
# Without gnuplot: no picture, not even the old one beside new numbers, and a note with -v.
mkdir bin && ln -s "$(command -v stoic)" bin/stoic
again() {
    PATH=$PWD/bin stoic train models/lenet5-fashion-mnist.onnx --data fashion-mnist --images 300 \
        --test none --epochs 1 --lr 0.01 -o net.v2.onnx "$@"
}
again 2>&1 | grep -c 'gnuplot\|svg'
ls net.v2.*
again -v 2>&1 | grep gnuplot | sort -u
