# sample sizes: of the model, of its groups; what cannot be is refused
plan() {
    stoic plan models/lenet5-fashion-mnist.onnx "$@" || echo "exit $?"
}
plan
plan --per layer --margin 0.005 --confidence 0.99
plan --per bit --store int8,code=secded72 --z 2.58 --format csv | sed -n '1,3p;$p'
plan --per layer,bit --fault exhaustive,layer=0+4,bits=sign --format json | sed 's/"seconds": [0-9.e-]*/T/'
plan --margin 0
plan --per rows
plan --fault flips:1
