"""usage: attack_gather.py OUT STEPS.csv > RESULTS.csv: the answers of attack.sh, a row an attack.

STEPS.csv gets a row for each flip, for the figure.
"""
import collections
import csv
import json
import os
import sys

out, steps_path = sys.argv[1], sys.argv[2]
with open(os.path.join(out, "names"), encoding="utf-8") as stream:
    names = stream.read().splitlines()


def load(name, limit):
    path = os.path.join(out, name.translate(str.maketrans(",:=+ ", "-----")) + f"-{limit}.json")
    with open(path, encoding="utf-8") as stream:
        return json.load(stream)


def reached(found):
    """The flips that it took; empty: more than were allowed, or there was nothing to flip."""
    return len(found["flips"]) if found["stopped"] in ("below", "zero") else ""


def shares(found, key):
    """How many flips lie where: "conv1 3, fc3 9"."""
    counts = collections.Counter(flip[key] for flip in found["flips"])
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))


table = csv.writer(sys.stdout, lineterminator="\n")
table.writerow("attacked images golden to_50 accuracy_50 dropped_50 stopped_50 to_20 accuracy_20 dropped_20 "
               "stopped_20 layers_20 fields_20 evaluated".split())
with open(steps_path, "w", encoding="utf-8") as stream:
    steps = csv.writer(stream, delimiter="\t", lineterminator="\n")
    for name in names:
        half, fifth = load(name, "0.5"), load(name, "0.2")
        row = [name, half["images"], f"{half['golden']['accuracy']:.10g}"]
        for found in half, fifth:
            row += [reached(found), f"{found['accuracy']:.10g}", found["dropped"], found["stopped"]]
        table.writerow(row + [shares(fifth, "name"), shares(fifth, "field"),
                              half["evaluated"] + fifth["evaluated"]])
        steps.writerow([name, 0, fifth["golden"]["accuracy"]])
        for flip in fifth["flips"]:
            steps.writerow([name, flip["step"], flip["accuracy"]])
