stoic analyze; echo $?
stoic analyze scalng; echo $?
stoic analyze scaling x.onnx; echo $?
stoic analyze scaling --store fp33; echo $?
stoic analyze scaling --store affine:5; echo $?
stoic analyze scaling --store fp32,,fp16; echo $?
stoic analyze scaling --scales 0; echo $?
stoic analyze scaling --scales 1-; echo $?
stoic analyze scaling --ber 2; echo $?
stoic analyze scaling --weights 0:1; echo $?
stoic analyze scaling --weights 1:0:1; echo $?
stoic analyze scaling --rounds 0; echo $?
stoic analyze scaling --store q2.5 --protect mantissa; echo $?
stoic analyze bits --ber 0.1; echo $?
stoic analyze bits none.onnx; echo $?
stoic analyze bits one.onnx two.onnx; echo $?
stoic analyze bits --store int9; echo $?
