# Ctrl-C keeps what is done and prints the command that goes on; that command, pasted into a shell,
# finishes to the bytes of the undisturbed run. File names are what a shell finds hardest.

name="it's a \"run\" \$HOME *
two.db"
mkdir 'a b'
cp $LENET "a b/net's.onnx"

interrupt() { # SIGNAL [SECONDS]: as soon as the file is there, or later; leaves the command that goes on in `again`
    env --default-signal=HUP stoic inject "a b/net's.onnx" --data fashion-mnist --images 0-499 \
        --fault ber:1e-5 --trials 100 --threads 1 --engine full -o "$name" >stop.out 2>stop.err &
    until [ -e "$name-lock" ]; do sleep 0.01; done
    sleep "${2:-0}"
    kill "-$1" $!
    wait $!
    status=$?
    [ $status -eq 130 ] || { echo "exit status $status"; cat stop.err; return 1; }
    [ -s stop.out ] && { echo 'something on stdout'; return 1; }
    sed -n '/^to go on:/,/^stoic inject: /p' stop.err | sed '1d;$d' >again
    [ -s again ] || { cat stop.err; return 1; }
}

stoic inject "a b/net's.onnx" --data fashion-mnist --images 0-499 --fault ber:1e-5 --trials 100 \
    --engine full -o plain.db >/dev/null
bytes plain.db >expected
# A background process of a script ignores SIGINT unless something sets it again: the command does.
check 'SIGINT: status 130 and a command' interrupt INT 0.3
check 'SIGINT at once: status 130 and a command' interrupt INT
check 'SIGTERM: status 130 and a command' interrupt TERM 0.2
check 'SIGHUP: status 130 and a command' interrupt HUP 0.2
bytes "$name" >part.text
grep -vxFf expected part.text >strange
[ -s strange ] && fail 'what is done is kept' 'rows of no trial' strange || pass 'what is done is kept'
check 'the command that was printed runs' sh again
same 'the command that was printed finishes the campaign' expected "$name"
[ -e "$name-lock" ] && fail 'no lock stays' "$(ls)" || pass 'no lock stays'
