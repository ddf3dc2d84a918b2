# the same faults on several protections; times are measured, so they are left out
compare() {
    stoic compare models/lenet5-fashion-mnist.onnx --data fashion-mnist --images 100 --trials 5 --quiet "$@"
}
compare --fault ber:1e-3 --with store:int8,code=secded72 --with pass:relu6 --keep kept |
    sed 's/ [0-9.]*  \(nothing\|a decoder\|training\)/ T  \1/; s/^time .*/time T/'
ls kept
compare --fault ber:1e-3 --with store:int8,code=secded72 --with pass:relu6 --keep kept --format json |
    tr ',' '\n' | grep -E '"(name|critical_rate|coverage|coverage_low|bits|pareto|safest|cheapest)":'
compare --fault 'flips:20,bits=exponent' --with all --format json |
    tr '{' '\n' | grep '"why"' | sed 's/.*"name": "\([^"]*\)", "why": "\([^"]*\)".*/\1: \2/'
stoic replay kept/pass-relu6.ber-1e-3.db --trial 2 | tail -1
