explore() {
    stoic explore models/lenet5-fashion-mnist.onnx --data fashion-mnist --images 20 "$@"; echo $?
}
limits='--min-accuracy 0.8 --max-drop 0.1'
explore --store 'affine:{M},code=msb3'
explore --store 'affine:{M},code=msb3' --min-accuracy 0.8
explore $limits
explore --store 'affine:{M}' $limits --width 2-9
explore --store 'affine:{M}' $limits --width 1
explore --store 'affine:{M}' $limits --width 5,8
explore --store 'affine:{M}' $limits --width 5-3
explore --store 'affine:{M}' $limits --width -3
explore --store affine:5 $limits
explore --store 'affine:{M},code=msb' $limits
explore --store 'affine:{M},code=rep:4' $limits
explore --store 'affine:{M}' --min-accuracy 91 --max-drop 0.1
explore --store 'affine:{M}' $limits --ber 1e-3,0
explore --store 'affine:{M}' $limits --ber 1e-3,1e-4,0.001
explore --store 'affine:{M}' $limits --ber ,
explore --store 'affine:{M}' $limits --trials 0
explore --store 'affine:{M}' $limits --keep models/lenet5-fashion-mnist.onnx
explore --store 'affine:{M}' $limits --budget 1000
ls
