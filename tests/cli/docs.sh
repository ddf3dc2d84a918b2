#!/bin/sh
# The documentation keeps its word: every command of a ```console block that starts with
# "$ stoic", and both examples of every verb's --help, run in an empty folder with a copy of the
# models; none may fail. A command goes on where its line ends with a backslash. So do the SQL and
# pandas of docs/records.md, on the files that its commands make.
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
for file in "$root/README.md" "$root/docs/user.md" "$root/docs/store-specs.md" \
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

# ---- docs/records.md ----

blocks_of() { # LANGUAGE: the blocks of this language, into $work/block.NNN
    rm -f "$work"/block.*
    awk -v mark="\`\`\`$1" -v at="$work/block" '
        $0 == mark { on = 1; n++; next } /^```/ { on = 0 }
        on { print > sprintf("%s.%03d", at, n) }' "$root/docs/records.md"
}

# Every column of a table must be that of `stoic records`, number by number.
cat >"$work/same" <<'EOF'
same_columns() { # OURS THEIRS
    awk -F, 'function close_to(x, y) { d = x - y; return d * d <= 1e-24 * (x * x + y * y) }
        NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
        FNR == 1 { for (i = 1; i <= NF; i++) if ($i in at) from[i] = at[$i]; else exit bad = 1
                   width = NF; next }
        NR == FNR { theirs[FNR] = $0; n = FNR; next }
        { split(theirs[FNR], row, ","); m = FNR
          for (i = 1; i <= width; i++) if (!close_to($i, row[from[i]])) { print; exit bad = 1 } }
        END { exit bad || m != n || n < 2 }' "$2" "$1"
}
EOF

# -- FILE[, as stoic records] begins a block of SQL.
run_sql() { # BLOCK
    read -r dashes database rest <"$1"
    database=${database%,}
    echo "sqlite3 -readonly -csv -header $database <'$1' >table && test \$(wc -l <table) -gt 1"
    [ -z "$rest" ] || {
        echo "stoic records $database --format csv >theirs"
        printf '%s\n' "tr -d '\\r' <table >ours && same_columns ours theirs"
    }
}

run_records() {
    fresh records.md
    printf 'trial,correct\n0,9\n1,8\n' >"$work/theirs"
    printf 'correct,trial\n9,0\n8.001,1\n' >"$work/wrong"
    printf '! same_columns %s %s\n' "$work/wrong" "$work/theirs" |
        cat "$work/same" - >"$work/script"
    run_block 'harness: a column that differs is noticed' "$work/script"
    run_markdown "$root/docs/records.md"
    blocks_of sql
    for block in "$work"/block.*; do
        (cat "$work/same" && run_sql "$block") >"$work/script"
        run_block "records.md: $(head -1 "$block"): $(sed -n 2p "$block")" "$work/script"
    done
    python=
    for candidate in python3 /usr/bin/python3; do
        [ -n "$python" ] || ! $candidate -c 'import pandas' 2>/dev/null || python=$candidate
    done
    blocks_of python
    for block in "$work"/block.*; do
        if [ -n "$python" ]; then
            echo "$python -W error '$block'" >"$work/script"
            run_block "records.md: python: $(grep -v import "$block" | sed -n 2p)" "$work/script"
        else
            echo "ok - records.md: python # SKIP pandas is not installed (python3-pandas)"
        fi
    done
}

run_records

for verb in $(stoic help | awk '/^Verbs/ { on = 1; next } /^$/ { on = 0 } on { print $1 }'); do
    fresh "$verb"
    from_help "$verb" >"$work/examples"
    run_block "stoic $verb --help: examples" "$work/examples"
done
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
