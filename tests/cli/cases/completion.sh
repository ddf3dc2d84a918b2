say() { echo "-- $*"; stoic help --complete -- "$@"; }
say stoic in
say stoic inject x.onnx --fa
say stoic inject x.onnx --fault op:
say stoic eval m.onnx --data fash
say stoic eval m.onnx --store=fi
say stoic new resnet2
say stoic analyze ''
say stoic harden m.onnx --pass s
say stoic compare m.onnx --with pass:a
say stoic train m.onnx --schedule ''
say stoic eval m.onnx --images ''
say stoic nonsense -
say stoic help ex
# the function that bash calls
bash -s "$MODELS/../cli/completion/stoic.bash" <<'BASH'
. "$1"
try() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _stoic 2> /dev/null; echo "bash: ${COMPREPLY[*]}"; }
try stoic repo
try stoic harden m.onnx --pass nan
try stoic eval m.onnx --nothing
BASH
