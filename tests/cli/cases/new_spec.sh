stoic new lenet5,activation=sigmoid,sigmoid=off,classes=5,init=xavier:4 -o a.onnx
stoic info a.onnx | grep '^output\|^metadata'
stoic new lenet5-sigmoid,classes=0x5,init=xavier:4e0,sigmoid=off -o b.onnx --format csv | sed 's/,[^,]*$//'
cmp a.onnx b.onnx && echo 'two spellings, one file'
stoic new lenet5,size=20,channels=3 -o c.onnx --format json
stoic new lenet5,activaton=sigmoid -o x.onnx; echo $?
stoic new lenet5,size=15 -o x.onnx; echo $?
stoic new resnet20,classes=1 -o x.onnx; echo $?
stoic new vgg11,norm=maybe -o x.onnx; echo $?
stoic new alexnet,size=4000 -o x.onnx; echo $?
stoic new lenet5,init=he -o x.onnx; echo $?
ls x.onnx
