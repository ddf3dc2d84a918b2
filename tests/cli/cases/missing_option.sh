stoic eval M.onnx; echo $?
stoic inject; echo $?
stoic inject M.onnx; echo $?
stoic inject M.onnx --data mnist; echo $?
stoic inject M.onnx --data mnist --fault flips:1; echo $?
stoic inject M.onnx N.onnx --data mnist --fault flips:1 -o r.db; echo $?
stoic new lenet5; echo $?
stoic new; echo $?
stoic merge a.db; echo $?
stoic merge -o all.db; echo $?
stoic records; echo $?
stoic replay r.db; echo $?
stoic report r.db; echo $?
stoic info M.onnx --set mean=1; echo $?
stoic version now; echo $?
