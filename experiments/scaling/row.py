"""One CSV row from what `stoic inject` or `stoic eval --format json` says on standard input."""
import json
import sys

answer = json.load(sys.stdin)
cells = sys.argv[1:]
if "trials" in answer:
    accuracy = answer["accuracy"]
    cells[4] = '"' + cells[4] + '"'
    cells += [answer["images"], answer["trials"], answer["golden"]["accuracy"]]
    values = [accuracy[key] for key in ("mean", "std", "low", "high")]
    cells += ["" if value is None else "%.6g" % value for value in values]
else:
    cells += [answer["images"], answer["correct"], answer["accuracy"]]
print(*cells, sep=",")
