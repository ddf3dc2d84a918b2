stoic new --list
stoic new --list --format csv | cut -d, -f1
stoic new --list --format json | grep -o '"name": "[^"]*"'
stoic new lenet6 -o x.onnx; echo $?
ls x.onnx
