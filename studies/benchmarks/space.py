"""How many random configs of the full space run on this host, and why the others do not.

``python studies/benchmarks/space.py [MODEL ...]`` draws configs of each model, visits each shortly in a child as a
search does, and ends with status 1 where fewer than 98 % of them run. A config that runs exactly as one visited before
counts as run. Speeds are not looked at.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ovtune import asset, preparation
from ovtune.config import Config
from ovtune.evaluator import Failed, Infeasible
from ovtune.host import exclusive
from ovtune.measurement import Block, Plan
from ovtune.preparation import Wish
from ovtune.trial_process import TrialProcess
from ovtune.wanted import Wanted
from ovtune.workload import ClosedLoop, parse, searched_under

SHARE = 0.98
PLAN = Plan(duration_s=0.02, warmup_s=0.05, least_requests=4, longest_s=1.0)


def main() -> int:
    """Visits the configs of each model; 0 where enough of each ran."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=["demo:mlp", "demo:mobilenet"])
    parser.add_argument("--configs", type=int, default=200)
    parser.add_argument("--device", action="append", default=[], help="exactly these device strings")
    parser.add_argument("--plugin", action="append", default=[], metavar="NAME=LIBRARY")
    parser.add_argument("--load", default="closed")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    plugins = dict(text.split("=", 1) for text in arguments.plugin)
    enough = True
    for model in arguments.models:
        wish = Wish(
            model=model,
            workload=parse(arguments.load),
            device_strings=tuple(arguments.device),
            plugins=plugins,
            space=Wanted(size="full"),
        )
        enough &= _visit(wish, arguments.configs, arguments.seed)
    return 0 if enough else 1


def _visit(wish: Wish, count: int, seed: int) -> bool:
    with exclusive(wait=True), tempfile.TemporaryDirectory() as folder:
        setup = preparation.make(wish, wish.model or "", wish.workload or ClosedLoop(), Path(folder))
        evaluator = TrialProcess(
            files=asset.files(setup, Path(folder)),
            plugins=setup.plugins,
            workload=searched_under(setup.workload),
            feed=setup.feed,
            reference=asset.reference(setup, Path(folder)),
        )
        drawn = list(dict.fromkeys(setup.space.draw(4 * count, seed=seed)))[:count]
        reasons = _reasons(evaluator, drawn)
    ran = len(drawn) - len(reasons)
    share = ran / len(drawn)
    print(f"{wish.model}: {ran} of {len(drawn)} ran ({share:.1%}), of {setup.space.size:,} in the full space")
    for config, reason in reasons:
        print(f"  {config.words}\n    {reason}")
    return share >= SHARE


def _reasons(evaluator: TrialProcess, configs: Sequence[Config]) -> list[tuple[Config, str]]:
    """Why those that did not run did not."""
    shared: dict[str, str] = {}
    found = []
    for number, config in enumerate(configs, 1):
        outcome = evaluator.evaluate(config, replace(PLAN, shared=shared))
        match outcome:
            case Block():
                shared[outcome.effective_key] = config.key
            case Infeasible(reason=reason) | Failed(reason=reason):
                found.append((config, reason))
        print(f"{number}/{len(configs)}", end="\r", file=sys.stderr, flush=True)
    return found


if __name__ == "__main__":
    sys.exit(main())
