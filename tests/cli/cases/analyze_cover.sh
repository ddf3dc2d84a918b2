# the smallest sets that hold shares of the harm, and lists of them that stores and passes read
stoic inject models/lenet5-fashion-mnist.onnx --data fashion-mnist --images 50 \
    --fault exhaustive,layer=4,bits=exponent --quiet -o all.db > /dev/null
stoic analyze sensitivity all.db --by weight --cover 0.5,0.9,0.99
stoic analyze sensitivity all.db --by bit --cover 0.9,1
stoic analyze sensitivity all.db --by layer,bit --cover 1 --format json
stoic analyze sensitivity all.db --by channel --cover 0.5 --format csv | tee channels.csv
stoic harden models/lenet5-fashion-mnist.onnx --pass duplicate:1 --sensitivity channels.csv \
    -o d.onnx --format csv
stoic analyze sensitivity all.db --by layer --cover 0.5 --top 3 || echo "exit $?"
stoic analyze sensitivity all.db --cover 0,0.5 || echo "exit $?"
stoic inject models/lenet5-fashion-mnist.onnx --data fashion-mnist --images 10 \
    --fault flips:1,bits=0 --trials 20 --quiet -o none.db > /dev/null
stoic analyze sensitivity none.db --cover 0.5 || echo "exit $?"
stoic inject models/lenet5-fashion-mnist.onnx --data fashion-mnist --images 20 \
    --fault flips:1,bits=30 --trials 50 --quiet -o some.db > /dev/null
stoic analyze sensitivity some.db --cover 0.5
