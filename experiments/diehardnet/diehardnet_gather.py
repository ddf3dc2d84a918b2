"""One row a configuration from the answers of diehardnet.sh: FOLDER NETWORK."""
import csv
import json
import sys

folder, network = sys.argv[1:3]
OPERATIONS = ["flip", "random", "zero", "warp-random", "warp-zero"]


def read(config, what):
    with open(f"{folder}/{network}-{config}.{what}.json") as file:
        return json.load(file)


out = csv.writer(sys.stdout, lineterminator="\n")
out.writerow(
    ["network", "config", "clean", "regret", "regret_std", "faults", "pvf", "tolerable", "critical",
     "critical_share", "images_per_second", "time_ratio"])
base = None
for config in open(f"{folder}/{network}.configs").read().split():
    clean, passes = read(config, "eval"), read(config, "regret")
    counts = [read(config, f"op-{model}")["outcomes"] for model in OPERATIONS]
    faults = sum(read(config, f"op-{model}")["trials"] for model in OPERATIONS)
    tolerable = sum(c["tolerable"] for c in counts)
    critical = sum(c["critical"] for c in counts)
    base = base or clean["images_per_second"]
    out.writerow(
        [network, config, clean["accuracy"], round(passes["drop"]["mean"], 6),
         "" if passes["trials"] < 2 else round(passes["accuracy"]["std"], 6), faults,
         round((tolerable + critical) / faults, 6),
         tolerable, critical, round(critical / faults, 6), round(clean["images_per_second"], 1),
         round(base / clean["images_per_second"], 3)])
