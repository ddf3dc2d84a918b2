# Less memory than it takes (`ulimit -v`): one line each, until there is enough. Below `least` the
# program does not start.
lenet=models/lenet5-fashion-mnist.onnx
few="--data fashion-mnist --images 40"
stoic store $lenet --store int8 -o lenet.stw >/dev/null
least=20000
until (ulimit -v $least && stoic version) >/dev/null 2>&1; do least=$((least + 1000)); done
limited() { # VERB ARGUMENTS...
    at=$least refused=0
    while :; do
        rm -f made*
        (ulimit -v $at; stoic "$@" >out 2>err)
        case $? in
        0) break ;;
        1) [ "$(wc -l <err)" -eq 1 ] && grep -q "^stoic $1: .*\(out of memory\|thread\)" err || cat err ;;
        *) echo "status $?"; cat err ;;
        esac
        refused=$((refused + 1))
        at=$((at + 5000))
    done
    [ $refused -gt 0 ] && echo "$1: refused, until there is enough" || echo "$1: never refused"
}
limited eval $lenet $few --threads 2
limited inject $lenet $few --fault flips:1 --trials 20 --threads 2 -o made.db
limited store $lenet --store int8,code=secded72 $few -o made.stw
limited train $lenet $few --epochs 1 --batch 10 --test none --threads 2 -o made.onnx
limited infer lenet.stw $few --threads 2
limited explore $lenet $few --store 'affine:{M}' --width 4 --all --ber 1e-4 --trials 2 --threads 2
limited compare $lenet $few --fault flips:1 --trials 5 --with pass:relu6 --threads 2
