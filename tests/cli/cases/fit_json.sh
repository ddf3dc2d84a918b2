# Every form has the same keys; what does not apply or is infinite is null.
for form in "--events 10 --fluence 1e10 --against 0,1e10" "--events 0 --fluence 1e10 --hours 1e5" \
    "--raw-fit-mbit 500 --bits 4e6 --pvf 0.01 --hours 1e5" \
    "--raw-fit-mbit 500 --words 1e6 --word-bits 72 --hours 1e5 --scrub-hours 24"; do
    stoic fit $form --format json -o fit.json
    python3 - <<'END'
import json
at = json.load(open("fit.json"))
for key in ["sigma", "fit", "ratio", "mission"]:
    inner = at[key] if isinstance(at[key], dict) else {"": at[key]}
    print(key, *(k + " " + ("null" if v is None else "%.9g" % v) for k, v in inner.items()))
print(len(at), "keys")
END
done
stoic fit --raw-fit-mbit 1 --bits 1e6 --pvf 0.5 --format csv | head -1
