#!/usr/bin/env python3
"""The model of docs/scale.md: efficiency of a campaign on many workers, from measured constants.

time(W) = F / min(W, P) + max(N c / W, N n / C) + tail;   efficiency = N c / (W time)

N trials of c seconds of processor time each, in n units a trial; every rank of P workers spends F
seconds of processor time before it helps (golden pass, bounds); the coordinator sustains C units a
second; at the end one unit, the work held ahead and one commit are waited for. MPI's own start is
left out: it belongs to the site.
"""
AHEAD, COMMIT, WORKERS_A_RANK = 0.05, 0.1, 64

CAMPAIGNS = {  # name: trials, s a trial, units a trial, F, units/s sustained
    "LeNet-5, 1,000,000 trials": (1e6, 4.85e-3, 45 / 16, 1.7, 330e3),
    "ResNet-44, 100,000 trials": (1e5, 3.5, 625 / 4, 34.0, 740e3),
}


def time(workers, trials, seconds, units, fixed, sustained):
    work = max(trials * seconds / workers, trials * units / sustained)
    return fixed / min(workers, WORKERS_A_RANK) + work + seconds / units + AHEAD + COMMIT


def main():
    for name, (trials, seconds, units, fixed, sustained) in CAMPAIGNS.items():
        print(f"{name}: {1e3 * seconds / units:.2f} ms a unit, {trials * seconds / 3600:.1f} h of "
              f"processor time, one coordinator feeds {sustained * seconds / units:.0f} workers")
        for workers in (1, 2, 10, 100, 1000, 10000):
            took = time(workers, trials, seconds, units, fixed, sustained)
            print(f"  {workers:6d} workers {took:12.1f} s  efficiency "
                  f"{trials * seconds / (workers * took):.3f}  units/s {trials * units / took:.0f}")


if __name__ == "__main__":
    main()
