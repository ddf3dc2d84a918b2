"""usage: stores_times.py RESULTS.csv NETWORK MODEL.onnx OPTIONS…: what reading each store costs.

Measures every store that RESULTS.csv has of NETWORK and writes decode_ms, image_ms and time_ratio
into it; other columns stay as they are, and nothing is injected. OPTIONS are those of `stoic store`:
--data SPEC, perhaps --images N. STOIC names the binary. For a machine that does nothing else.
"""
import csv
import json
import os
import subprocess
import sys

MEASURED = ["decode_ms", "image_ms", "time_ratio"]


def measure(model, store, options):
    """The three columns, "" where the protected runtime cannot run the store."""
    command = [os.environ.get("STOIC", "stoic"), "store", model, "--store", store, "--time", "--format", "json"]
    answer = json.loads(subprocess.run(command + options, check=True, stdout=subprocess.PIPE).stdout)
    values = [1e3 * answer["decode_seconds"],
              answer["image_seconds"] and 1e3 * answer["image_seconds"], answer["time_ratio"]]
    if answer["time_note"]:
        print(f"stores: {store}: {answer['time_note']}", file=sys.stderr)
    return ["" if value is None else f"{value:.4g}" for value in values]


def main():
    if len(sys.argv) < 5:
        sys.exit(__doc__.split("\n", maxsplit=1)[0])
    path, network, model, options = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]
    with open(path, encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    columns = list(rows[0]) + [name for name in MEASURED if name not in rows[0]] if rows else MEASURED
    mine = [row for row in rows if row["model"] == network]
    if not mine:
        sys.exit(f"stores: {path} has no rows of {network}")
    found = {}
    for row in mine:
        if row["store"] not in found:
            found[row["store"]] = measure(model, row["store"], options)
        row.update(zip(MEASURED, found[row["store"]]))
    with open(path + ".part", "w", encoding="utf-8", newline="") as stream:
        table = csv.DictWriter(stream, columns, restval="", lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
    os.replace(path + ".part", path)


main()
