"""A Markdown table from the CSV of `stoic compare`: FILE. A row a protection, a column a fault: images
whose answer changes, in percent, and in brackets what is covered of the baseline's."""
import csv
import sys


def short(fault):
    """ "ber:0.0001,layer=all,…" as "ber:1e-4"."""
    head = fault.split(",")[0]
    name, _, rate = head.partition(":")
    return f"ber:{float(rate):.0e}".replace("e-0", "e-") if name == "ber" else head


rows = list(csv.DictReader(open(sys.argv[1])))
faults = list(dict.fromkeys(row["fault"] for row in rows))
names = list(dict.fromkeys(row["name"] for row in rows))
print("| protection | bits a weight | time | clean | " + " | ".join(f"`{short(f)}`" for f in faults) + " |")
print("|---|---|---|---|" + "---|" * len(faults))
for name in names:
    of = {row["fault"]: row for row in rows if row["name"] == name}
    first = next(iter(of.values()))
    cells = [f"`{name}`" if name != "baseline" else "none", f"{float(first['bits_per_weight']):.4g}",
             f"{float(first['time_ratio']):.2f}", f"{100 * float(first['clean_accuracy']):.2f}"]
    for fault in faults:
        row = of[fault]
        covered = "" if not row["coverage"] else f" ({100 * float(row['coverage']):.1f})"
        cells.append(f"{100 * float(row['critical_rate']):.3g}{covered}")
    print("| " + " | ".join(cells) + " |")
