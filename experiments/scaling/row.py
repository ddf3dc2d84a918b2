"""One CSV row from what `stoic inject` or `stoic eval --format json` says on standard input."""
import json
import sys

answer = json.load(sys.stdin)
cells = sys.argv[1:]
if "trials" in answer:
    accuracy = answer["accuracy"]
    cells[4] = '"' + cells[4] + '"'
    cells += [answer["images"], answer["trials"], answer["golden"]["accuracy"]]
    cells += ["%.6g" % accuracy[key] for key in ("mean", "std", "low", "high")]
else:
    cells += [answer["images"], answer["correct"], answer["accuracy"]]
print(*cells, sep=",")
