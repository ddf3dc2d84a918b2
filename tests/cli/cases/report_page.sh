stoic inject models/lenet5-fashion-mnist.onnx --data fashion-mnist --images 20 --trials 20 \
    --fault flips:1 -o run.db >/dev/null
stoic report run.db --title 'A title & more' -o page.html; echo $?
grep -o '<title>[^<]*' page.html
stoic report run.db -o none/page.html; echo $?
stoic report run.db --model none.onnx -o other.html; echo $?
ls
