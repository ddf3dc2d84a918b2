# where faults hurt, from a campaign of single flips; what cannot be told apart is refused
stoic inject models/lenet5-fashion-mnist.onnx --data fashion-mnist --images 50 --fault flips:1 \
    --trials 300 --quiet -o flips.db > /dev/null
stoic analyze sensitivity flips.db
stoic analyze sensitivity flips.db --by layer,bit --top 3
stoic analyze sensitivity flips.db --by channel --top 2 --format csv
stoic analyze sensitivity flips.db --by weight --top 1 --format json
stoic inject models/lenet5-fashion-mnist.onnx --data fashion-mnist --images 50 --fault ber:1e-4 \
    --trials 2 --quiet -o ber.db > /dev/null
stoic analyze sensitivity ber.db || echo "exit $?"
stoic analyze sensitivity flips.db --by rows || echo "exit $?"
stoic analyze sensitivity flips.db --model models/lenet5-sigmoid.onnx || echo "exit $?"
stoic analyze sensitivity || echo "exit $?"
stoic analyze bits --by layer || echo "exit $?"
stoic analyze sensitivity flips.db --ber 1e-3 || echo "exit $?"
