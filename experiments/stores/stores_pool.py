"""usage: stores_pool.py FIRST.csv SECOND.csv: rows of two runs of stores.sh with different seeds as one, on standard output.

Where both have a network, store and rate, their trials are taken together: mean, and Student's interval of the drop from
the pooled variance, which each row's own interval gives. Other rows, and what reading costs, stay as FIRST has them.
"""
import csv
import math
import sys

CONFIDENCE = 0.95


def student(freedom):
    """The t that CONFIDENCE of |T| stay below: bisection on Simpson's rule for the density."""
    scale = math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)) / math.sqrt(freedom * math.pi)

    def inside(t, steps=2000):
        def at(i):
            return scale * (1 + (i * t / steps) ** 2 / freedom) ** (-(freedom + 1) / 2)
        odd, even = sum(map(at, range(1, steps, 2))), sum(map(at, range(2, steps, 2)))
        return 2 * t / steps / 3 * (at(0) + 4 * odd + 2 * even + at(steps))

    low, high = 0.0, 1000.0
    while high - low > 1e-12 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if inside(middle) < CONFIDENCE else (low, middle)
    return high


def moments(row):
    """Trials, mean of the drop, variance. The range of accuracies may have cut one side of the interval."""
    trials, drop = int(row["trials"]), float(row["drop"])
    half = max(drop - float(row["drop_low"]), float(row["drop_high"]) - drop)
    return trials, drop, (half / student(trials - 1)) ** 2 * trials


def pool(row, other):
    if row["images"] != other["images"] or row["golden"] != other["golden"]:
        sys.exit(f"stores_pool: {row['model']}, {row['store']}, {row['ber']}: not the same images or network")
    (n, a, var_a), (m, b, var_b) = moments(row), moments(other)
    trials, drop, golden = n + m, (n * a + m * b) / (n + m), float(row["golden"])
    variance = ((n - 1) * var_a + (m - 1) * var_b + n * m / trials * (a - b) ** 2) / (trials - 1)
    half = student(trials - 1) * math.sqrt(variance / trials)
    row.update(trials=trials, drop=f"{drop:.10g}", accuracy=f"{golden - drop:.10g}",
               drop_low=f"{max(drop - half, golden - 1):.10g}", drop_high=f"{min(drop + half, golden):.10g}")


def load(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


if len(sys.argv) != 3:
    sys.exit(__doc__.split("\n", 1)[0])
rows, others = load(sys.argv[1]), load(sys.argv[2])
second = {(r["model"], r["store"], r["ber"]): r for r in others}
table = csv.DictWriter(sys.stdout, rows[0].keys(), lineterminator="\n")
table.writeheader()
for row in rows:
    found = second.pop((row["model"], row["store"], row["ber"]), None)
    if found:
        pool(row, found)
    table.writerow(row)
if second:
    sys.exit(f"stores_pool: {sys.argv[1]} has no row of {', '.join(next(iter(second)))}")
