"""usage: stores_gather.py OUT RATES < STORES: the answers of stores.sh as one CSV file.

decode_ms, image_ms and time_ratio stay empty: stores_times.py fills them.
"""
import csv
import json
import os
import sys

out, rates = sys.argv[1], sys.argv[2].split(",")
stores = sys.stdin.read().split()


def load(path):
    with open(path, encoding="utf-8") as stream:
        return json.load(stream)


def short(number):
    """Accuracies are means of counts: ten digits are more than they carry."""
    return f"{number:.10g}"


table = csv.writer(sys.stdout, lineterminator="\n")
table.writerow("model store bits_per_weight side_bits ber images trials golden accuracy drop drop_low "
               "drop_high decode_ms image_ms time_ratio".split())
with open(os.path.join(out, "networks"), encoding="utf-8") as stream:
    networks = stream.read().split()
for network in networks:
    for store in stores:
        base = os.path.join(out, network, store.translate(str.maketrans(",:=", "---")))
        cost = load(base + ".store.json")
        for rate in rates:
            run = load(f"{base}.ber-{rate}.json")
            drop = run["drop"]
            table.writerow([network, store, short(cost["bits_per_weight"]), cost["side_bits"], rate,
                            run["images"], run["trials"], short(run["golden"]["accuracy"]),
                            short(run["accuracy"]["mean"]), short(drop["mean"]), short(drop["low"]),
                            short(drop["high"]), "", "", ""])
