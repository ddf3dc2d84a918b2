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


def load(name, part):
    path = os.path.join(out, name.translate(str.maketrans(",:=+ ", "-----")) + f"-{part}.json")
    with open(path, encoding="utf-8") as stream:
        return json.load(stream)


def reached(limit, *attacks):
    """The fewest flips that took an attack to `limit`; empty: more than were allowed."""
    steps = [flip["step"] for found in attacks for flip in found["flips"] if flip["accuracy"] <= limit]
    return min(steps, default="")


def shares(found, key):
    """How many flips lie where: "conv1 3, fc3 9"."""
    counts = collections.Counter(flip[key] for flip in found["flips"])
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))


table = csv.writer(sys.stdout, lineterminator="\n")
table.writerow("attacked images golden to_50 to_20 accuracy_20 stopped_20 dropped_20 others_golden others_20 "
               "layers_20 fields_20 evaluated".split())
with open(steps_path, "w", encoding="utf-8") as stream:
    steps = csv.writer(stream, delimiter="\t", lineterminator="\n")
    for name in names:
        half, fifth, others = (load(name, part) for part in ("0.5", "0.2", "others"))
        row = [name, half["images"], f"{half['golden']['accuracy']:.10g}"]
        # the path to 20 % may pass 50 % with fewer flips than the attack that stopped there
        row += [reached(0.5, half, fifth), reached(0.2, fifth), f"{fifth['accuracy']:.10g}",
                fifth["stopped"], fifth["dropped"]]
        row += [f"{others['golden']['accuracy']:.10g}", f"{others['accuracy']['mean']:.10g}"]
        table.writerow(row + [shares(fifth, "name"), shares(fifth, "field"),
                              half["evaluated"] + fifth["evaluated"]])
        steps.writerow([name, 0, fifth["golden"]["accuracy"]])
        for flip in fifth["flips"]:
            steps.writerow([name, flip["step"], flip["accuracy"]])
