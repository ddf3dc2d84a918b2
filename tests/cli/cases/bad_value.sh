stoic info M.onnx --format jsn; echo $?
stoic eval M.onnx --batch 0; echo $?
stoic eval M.onnx --images 9-3; echo $?
stoic eval M.onnx --images 0; echo $?
stoic eval M.onnx --images=-5; echo $?
stoic inject M.onnx --memory lots; echo $?
stoic inject M.onnx --seed -1; echo $?
stoic inject M.onnx --confidence 1.5; echo $?
stoic inject M.onnx --margin nan; echo $?
stoic inject M.onnx --trials 1e30; echo $?
stoic inject M.onnx --quiet=yes; echo $?
stoic inject M.onnx --store; echo $?
stoic inject M.onnx --store=; echo $?
