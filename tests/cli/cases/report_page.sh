stoic inject models/lenet5-fashion-mnist.onnx --data fashion-mnist --images 20 --trials 20 \
    --fault flips:1 -o run.db >/dev/null
stoic report run.db --title 'A title & more' -o page.html; echo $?
grep -o '<title>[^<]*' page.html
# What goes wrong: one line that begins as every error does, status 1, and no page.
fails() { "$@" 2>err; echo $? "$(wc -l <err)" "$(cut -d: -f1 err)"; rm err; }
fails stoic report run.db -o none/page.html
fails stoic report none.db -o other.html
fails stoic report run.db --model none.onnx -o other.html
ls
