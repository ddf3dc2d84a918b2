"""usage: stoic records RUN.db --format csv | exhaustive_table.py OUT RANKING (standard library only)

From the records of an exhaustive campaign, and the weights that do harm as 'analyze sensitivity --by weight
--cover 1' lists them: layers.csv, bits.csv (layer and bit), weights.csv (what share of the harm the worst so many
weights hold), plans.csv (what sampled campaigns would have said), rankings.csv (what sampled rankings would have
found). Samples are drawn with fixed seeds; a sampled fault sees all images.
"""
import bisect
import csv
import math
import random
import sys

Z = 1.959963984540054


def read(stream):
    """{layer: [(index, bit, images, correct, critical, nan)]}."""
    layers = {}
    for row in csv.reader(stream):
        if row[0] == "trial":
            continue
        layers.setdefault(int(row[1]), []).append(
            (int(row[2]), int(row[3]), int(row[7]), int(row[8]), int(row[11]), int(row[15])))
    return layers


def write(out, name, head, rows):
    with open(f"{out}/{name}.csv", "w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(head)
        writer.writerows(rows)


def by_layer(layers):
    for layer, trials in sorted(layers.items()):
        images, n = trials[0][2], len(trials)
        yield [layer, n, images, sum(t[4] for t in trials) / n / images,
               sum(t[4] > 0 for t in trials) / n, sum(t[3] for t in trials) / n / images,
               min(t[3] for t in trials) / images, sum(t[5] for t in trials) / n / images]


def by_bit(layers):
    for layer, trials in sorted(layers.items()):
        bits = {}
        for t in trials:
            bits.setdefault(t[1], []).append(t)
        for bit, hit in sorted(bits.items()):
            images = hit[0][2]
            yield [layer, bit, len(hit), sum(t[4] for t in hit) / len(hit) / images,
                   min(t[3] for t in hit) / images]


def read_ranking(path):
    """[(layer, index)] and what share of the harm each holds, alone and with those before it."""
    with open(path, encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    return ([(int(r["layer"]), int(r["index"])) for r in rows], [float(r["share"]) for r in rows],
            [float(r["cumulative"]) for r in rows])


def plans(layers, repeat=2000):
    """Sample sizes of the literature (p = 0.5) and what they make of the true rate."""
    rates = [t[4] / t[2] for trials in layers.values() for t in trials]
    n_all, truth = len(rates), sum(rates) / len(rates)
    rng = random.Random(1)
    for margin in (0.05, 0.01, 0.005, 0.001):
        n = math.ceil(n_all / (1 + margin ** 2 * (n_all - 1) / (Z ** 2 * 0.25)))
        runs = min(repeat, 20_000_000 // n)
        found = sorted(sum(rates[rng.randrange(n_all)] for _ in range(n)) / n for _ in range(runs))
        inside = sum(abs(f - truth) <= margin for f in found) / runs
        yield [margin, n, runs, truth, found[runs // 40], found[runs // 2],
               found[runs - 1 - runs // 40], inside]


def rankings(layers, ranked, share, held, repeat=20):
    """Of the K weights that hold half of the harm: what the K best of a sampled ranking hold."""
    faults = [(layer, t[0], t[4] / t[2]) for layer, trials in layers.items() for t in trials]
    harm = dict(zip(ranked, share))
    k = bisect.bisect_left(held, 0.5) + 1
    rng = random.Random(2)
    for n in (1000, 10_000, 100_000, 1_000_000):
        shares = []
        for _ in range(repeat):
            seen = {}
            for layer, index, rate in (faults[i] for i in rng.sample(range(len(faults)), n)):
                seen[layer, index] = seen.get((layer, index), 0) + rate
            best = sorted(seen, key=lambda w: (-seen[w], w))[:k]
            best = [w for w in best if seen[w] > 0]
            shares.append(sum(harm[w] for w in best))
        yield [n, k, held[k - 1], sum(shares) / repeat, min(shares), max(shares)]


def main():
    out = sys.argv[1]
    ranked, share, held = read_ranking(sys.argv[2])
    layers = read(sys.stdin)
    write(out, "layers", ["layer", "faults", "images", "critical_rate", "harmful", "accuracy",
                          "lowest", "nan"], by_layer(layers))
    write(out, "bits", ["layer", "bit", "faults", "critical_rate", "lowest"], by_bit(layers))
    weights = len({(layer, t[0]) for layer, trials in layers.items() for t in trials})
    steps = sorted({int(10 ** (i / 20)) for i in range(0, int(20 * math.log10(weights)) + 1)}
                   | {bisect.bisect_left(held, part) + 1 for part in (.5, .9, .99)})
    write(out, "weights", ["weights", "share_of_weights", "share_of_harm"],
          [[n, n / weights, held[min(n, len(held)) - 1]] for n in steps if n <= weights])
    write(out, "plans", ["margin", "faults", "campaigns", "true_rate", "low", "median", "high",
                         "inside"], plans(layers))
    write(out, "rankings", ["injections", "weights", "true_share", "mean_share", "least", "most"],
          rankings(layers, ranked, share, held))


if __name__ == "__main__":
    main()
