#!/bin/sh
# The documentation keeps its word: every command of a ```console block that starts with
# "$ stoic", and both examples of every verb's --help, run in an empty folder with a copy of the
# models; none may fail. A command goes on where its line ends with a backslash.
#   sh tests/cli/docs.sh [STOIC]
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
STOIC=${1:-${STOIC:-$root/build/cli/stoic}}
[ -x "$STOIC" ] || { echo "no executable at $STOIC" >&2; exit 2; }
STOIC=$(cd "$(dirname "$STOIC")" && pwd)/$(basename "$STOIC")
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin" && ln -s "$STOIC" "$work/bin/stoic"
PATH=$work/bin:$PATH
export PATH

# One command a block, separated by lines "--".
from_markdown() {
    awk '/^```/ { inside = ($0 == "```console"); more = 0; next }
         inside && (more || /^\$ stoic/) {
             sub(/^\$ /, ""); more = /\\$/; print; if (!more) print "--" }' "$1"
}

from_help() {
    stoic "$1" --help | awk '
        /^Examples$/ { inside = 1; next }
        inside { print "  " $0 }'
}

run_block() { # NAME FILE
    if (cd "$folder" && sh -e "$2") >"$work/log" 2>&1 </dev/null; then
        passed=$((passed + 1))
        echo "ok - $1"
    else
        failed=$((failed + 1))
        echo "not ok - $1"
        cat "$2" "$work/log"
    fi
}

run_markdown() { # FILE
    name=$(basename "$1")
    rm -f "$work"/block.*
    from_markdown "$1" | awk -v at="$work/block" '
        BEGIN { n = 1 } $0 == "--" { n++; next } { print > sprintf("%s.%03d", at, n) }'
    for block in "$work"/block.*; do
        [ -f "$block" ] && run_block "$name: $(head -1 "$block")" "$block"
    done
}

fresh() {
    folder=$work/$1
    mkdir "$folder" && cp -R "$root/models" "$folder/models"
}

passed=0 failed=0
fresh harness
echo 'stoic no-such-verb' >"$work/wrong"
run_block harness "$work/wrong" >"$work/harness.log"
if [ $failed -eq 1 ]; then
    passed=1 failed=0
    echo "ok - harness: a command that fails is noticed"
else
    passed=0 failed=1
    echo "not ok - harness: a command that fails is noticed"
fi
for file in "$root/README.md" "$root/docs/user.md" "$root/docs/stores.md" \
    "$root/docs/hardening.md"; do
    fresh "$(basename "$file")"
    [ -f "$file" ] && run_markdown "$file"
done
# The specs in blocks marked `store` and `fault`, one a line.
specs() {
    awk -v mark="\`\`\`$2" '$0 == mark { on = 1; next } /^```/ { on = 0 } on' "$1"
}
model=$root/models/lenet5-fashion-mnist.onnx
for page in stores fault-models; do
    specs "$root/docs/$page.md" store | sed "s|.*|stoic store '$model' --store '&'|" >"$work/specs"
    specs "$root/docs/$page.md" fault |
        sed "s|.*|stoic inject '$model' --data fashion-mnist --images 1 --trials 1 --fault '&' -o run.db --quiet \&\& rm run.db|" \
            >>"$work/specs"
    fresh "$page"
    run_block "docs/$page.md: specs" "$work/specs"
done
for verb in $(stoic help | awk '/^Verbs/ { on = 1; next } /^$/ { on = 0 } on { print $1 }'); do
    fresh "$verb"
    from_help "$verb" >"$work/examples"
    run_block "stoic $verb --help: examples" "$work/examples"
done
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
