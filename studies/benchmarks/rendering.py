"""How long the report takes to make, and how large it is, for 50 and for 1,000 trials.

    python studies/benchmarks/rendering.py

Searches demo:mlp on this host, 50 trials with a short confirmation, and renders what it found a few times; then the
same with its trials told again and again under other numbers of requests, streams and threads, until they are 1,000.
Targets on two cores: 1 s and 3 MB, 3 s and 8 MB. Each time is of a process that has rendered before, and stands beside
that of the first.
"""

import platform
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from ovtune.budget import Budget
from ovtune.environment import describe_host
from ovtune.place import Place, page
from ovtune.preparation import Wish
from ovtune.result import Result, conclude
from ovtune.session import Search, run

TRIALS, MANY = 50, 1000
RUNS = 5


def main() -> None:
    """Searches, renders and prints."""
    host = describe_host("", ())
    print(f"{host.cpu}, {host.cpus} CPUs, {platform.system()}, Python {platform.python_version()}")
    with tempfile.TemporaryDirectory() as folder:
        search = Search(wish=Wish(model="demo:mlp"), budget=Budget(trials=TRIALS, confirm_s=30))
        result, _ = run(search, Place(folder=Path(folder)))
    for told in (result, repeated(result, MANY)):
        times = []
        for _ in range(RUNS):
            began = time.perf_counter()
            text = page(told)
            times.append(time.perf_counter() - began)
        trials = told.study.trials
        print(
            f"{trials} trials: {sorted(times)[RUNS // 2]:.2f} s ({min(times):.2f} to {max(times):.2f}, "
            f"the first {times[0]:.2f}), {len(text.encode()) / 1e6:.2f} MB"
        )


def repeated(result: Result, trials: int) -> Result:
    """The same study with as many trials, each of a config of its own."""
    study = result.study
    search = [visit for visit in study.visits if visit.trial is not None]
    more = []
    for number in range(study.trials, trials):
        visit = search[number % len(search)]
        own = {"NUM_STREAMS": 1 + number % 10, "INFERENCE_NUM_THREADS": 1 + number // 10 % 5}
        config = replace(visit.config, properties=visit.config.properties | own, nireq=50 + number // 50, api="async")
        more.append(replace(visit, config=config, trial=number, number=len(study.visits) + number))
    whole = replace(study, trials=trials, visits=(*study.visits, *more))
    return conclude(whole, whole.goal)


if __name__ == "__main__":
    main()
