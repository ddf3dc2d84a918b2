"""What the benchmarks share: the sides, each in processes of its own, and the taking of turns."""
import json
import os
import statistics
import struct
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
# What compare() prints of a run beside its facts: not these, which it prints in its own way.
TIMES = ("seconds", "peak_mb", "wall")


class Worker:
    """A peer in a process of its own, which runs once for every line that it is sent."""

    def __init__(self, python, script, *arguments):
        environment = {**os.environ, "PYTHONWARNINGS": "ignore", "TORCH_LOGS": "-all"}
        self.process = subprocess.Popen([python, os.path.join(HERE, script), *arguments], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, env=environment)
        try:
            self.facts = self.answer()
            del self.facts["ready"]
        except RuntimeError:
            self.stop()
            raise

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            errors = self.process.stderr.read().strip().split("\n")
            # A negative status is the signal that ended it.
            raise RuntimeError(errors[-1] or f"it ended with status {self.process.wait()}")
        return json.loads(line)

    def run(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.answer()

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


class Stoic:
    """One command, run anew each time; `scale` divides its seconds (trials, steps)."""

    def __init__(self, program, arguments, scale=1):
        self.command, self.scale, self.facts = [program, *arguments], scale, {}

    def read(self, answer):
        """What a run is said to have given, from the command's JSON."""
        return {"seconds": answer["seconds"] / self.scale, "correct": answer.get("correct")}

    def run(self):
        start = time.perf_counter()
        # A file, not a pipe: wait4 must not race with a full pipe.
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            out.seek(0)
            err.seek(0)
            if process.returncode:
                raise RuntimeError(f"exit {process.returncode}: {err.read().decode().strip()}")
            answer = json.load(out)
        return {**self.read(answer), "peak_mb": round(usage.ru_maxrss / 1024, 1),
                "wall": (time.perf_counter() - start) / self.scale}

    def stop(self):
        pass


class Campaign(Stoic):
    """`stoic inject` from nothing each time, into a campaign file in `folder`; seconds a trial."""

    def __init__(self, options, folder, model, data, fault, *more):
        self.path = os.path.join(folder, "campaign.db")
        super().__init__(options.stoic, [
            "inject", model, "--data", data, "--fault", fault, "--threads", str(options.threads),
            "-o", self.path, "--format", "json", *more])

    def run(self):
        for end in ("", "-wal", "-shm", "-lock", "-journal"):
            if os.path.exists(self.path + end):
                os.remove(self.path + end)
        return super().run()

    def read(self, answer):
        told = super().read(answer)
        return {**told, "seconds": told["seconds"] / answer["trials"]}


def write_npy(path, shape, data):
    header = str({"descr": "|u1", "fortran_order": False, "shape": shape})
    header += " " * (-(10 + len(header) + 1) % 64) + "\n"
    with open(path, "wb") as stream:
        stream.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + data)


def take_turns(job, options, sides):
    """The runs of each side, A and B in turn; a side that fails is named and left out."""
    running, results = {}, {}
    for name, make in sides:
        try:
            running[name] = make()
            results[name] = []
        except (RuntimeError, OSError) as error:
            print(f"{job}: {name} is left out: {error}", flush=True)
    for _ in range(options.repeat):
        for name in list(running):
            try:
                results[name].append(running[name].run())
            except (RuntimeError, OSError, ValueError, KeyError, TypeError) as error:
                print(f"{job}: {name} is left out: {error}", flush=True)
                running.pop(name).stop()
                del results[name]
    for side in running.values():
        side.stop()
    return {name: (side.facts, results[name]) for name, side in running.items()}


def compare(job, options, peers, stoic):
    """Time the peers and our side in turn; a JSON line for each, then the ratios. The medians."""
    medians = {}
    for name, (facts, runs) in take_turns(job, options, [("stoic", stoic), *peers]).items():
        medians[name] = statistics.median(r["seconds"] for r in runs)
        told = {key: value for key, value in runs[-1].items() if key not in TIMES}
        print(json.dumps({"job": job, "side": name, "seconds": round(medians[name], 6),
                          "all": [round(r["seconds"], 6) for r in runs],
                          "peak_mb": max(r["peak_mb"] for r in runs), **told, **facts}), flush=True)
    for name in medians:
        if name != "stoic" and "stoic" in medians:
            print(f"{job}: stoic {medians['stoic']:.4g} s, {name} {medians[name]:.4g} s, "
                  f"stoic / {name} = {medians['stoic'] / medians[name]:.4g}", flush=True)
    return medians


def add_options(parser):
    """What every benchmark asks for."""
    parser.add_argument("--peers", default=os.path.expanduser("~/stoic-peers"))
    parser.add_argument("--stoic", default=os.path.join(ROOT, "build", "cli", "stoic"))
    parser.add_argument("--data", default="/usr/share/datasets/fashion-mnist")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=5)


def read_options(parser, jobs):
    """Options with `jobs` filled in, a warning where other work would spoil the figures."""
    options = parser.parse_args()
    options.python = os.path.join(options.peers, "bin", "python")
    if not set(options.jobs) <= set(jobs):
        parser.error("jobs are " + ", ".join(jobs))
    options.jobs = options.jobs or list(jobs)
    if os.getloadavg()[0] > 0.5:
        print(f"the load average is {os.getloadavg()[0]:.1f}: other work is running, do not trust "
              "these figures", flush=True)
    return options


def zoo_model(options, network, path):
    """Writes an untrained network; RuntimeError where that cannot be done."""
    try:
        subprocess.run([options.stoic, "new", network, "-o", path], check=True, text=True,
                       stdin=subprocess.DEVNULL, capture_output=True)
    except subprocess.CalledProcessError as error:
        raise RuntimeError(f"no {network}: {error.stderr.strip()}") from error
    except OSError as error:
        raise RuntimeError(f"no {network}: {error}") from error
