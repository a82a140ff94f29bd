"""A small HTTP service under load, with OpenVINO's own answer and with the tuned config, beside what was promised.

    python studies/benchmarks/service.py [--trials 20] [--clients 32] [--seconds 8] [--rounds 4]

Searches demo:mobilenet for throughput, then serves it over HTTP on loopback (tests/service.py: the standard library, a
dispatcher that fills batches, callbacks) with the baseline of the document and with its recommended config, in turns.
So many clients ask one after the other, each for itself, in a process of their own. Prints the answers per second of
both, their ratio, and the ratio that the document promises for the model alone: the service, its clients and the model
share the processor, so that is another ratio. Nothing else should run meanwhile.
"""

import argparse
import http.client
import multiprocessing
import platform
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from ovtune import stats
from ovtune.budget import Budget
from ovtune.deploy import apply
from ovtune.document import Document, read
from ovtune.environment import describe_host
from ovtune.goal import Goal
from ovtune.place import Place
from ovtune.preparation import Wish
from ovtune.session import Search, run

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.service import serving


def main() -> None:
    """Searches, serves, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--rounds", type=int, default=4)
    asked = parser.parse_args()
    host = describe_host("", ())
    print(f"{host.cpu}, {host.cpus} CPUs, Python {platform.python_version()}")
    with tempfile.TemporaryDirectory() as folder:
        search = Search(
            wish=Wish(model="demo:mobilenet"), goal=Goal(prefer="throughput"), budget=Budget(trials=asked.trials)
        )
        _, files = run(search, Place(folder=Path(folder)))
        tuned = read(files.best)
    baseline = tuned.model_copy(update={"config": tuned.baseline.config, "effective": {}})
    ratios = []
    for _ in range(asked.rounds):
        own, its = (served(one, asked.clients, asked.seconds) for one in (baseline, tuned))
        ratios.append(its / own)
        print(f"answers: {own:.1f}/s with {tuned.baseline.name}, {its:.1f}/s with {tuned.to_config().words}")
    promised = tuned.measured.throughput_per_s.value / tuned.baseline.measured.throughput_per_s.value
    print(f"ratio {np.exp(stats.location(np.log(ratios))):.2f}, for the model alone promised {promised:.2f}")


def served(document: Document, clients: int, seconds: float) -> float:
    """Answers per second of a service with a document's config."""
    with apply(document) as deployment, serving(deployment) as address:
        size = int(np.prod(list(deployment.compiled_model.input(0).shape)[1:]))
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            return pool.apply(ask, (address, size, clients, seconds)) / seconds


def ask(address: str, size: int, clients: int, seconds: float) -> int:
    """Clients that ask one after the other until the time is over; how many answers they got."""
    body = np.random.default_rng(0).random(size, np.float32).tobytes()
    counts = [0] * clients
    until = time.perf_counter() + seconds

    def client(place: int) -> None:
        while time.perf_counter() < until:
            connection = http.client.HTTPConnection(address, timeout=60)
            connection.request("POST", "/", body)
            if connection.getresponse().read():
                counts[place] += 1
            connection.close()

    threads = [threading.Thread(target=client, args=(place,)) for place in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts)


if __name__ == "__main__":
    main()
