"""Whether correcting a block by how fast the reference config ran at the same time makes it truer.

    python studies/benchmarks/reference.py RECORDING...

For each recording: a block's error is how far its throughput lies from its config's own, on a logarithm; a config's own
is the location of its blocks in all *other* rounds, so that no block judges itself. The reference's error is read in
the same way, by interpolation between its visits just before and after the block. A share of it is taken off each
block's error; the table shows what is left, for shares from none to all. Blocks that lie more than two minutes from a
visit to it are left out. Takes seconds. Nothing is corrected in ovtune unless a share makes the error smaller in every
recording, by at least 2 % of it at the median and not larger in the worst tenth: what looks best among many configs is
mostly one of those. Ends with 1 where that is so, since then it should be.
"""

import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ovtune import recording_file, stats
from ovtune.recording import Record, Recording
from ovtune.replay import setup_of

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
NEAR_S = 120.0
"""Blocks that lie farther than this from the reference's visits are left out."""


def errors_of(records: list[Record]) -> NDArray[np.float64]:
    """How far each record lies from the location of all others, on a logarithm."""
    logs = np.log([record.throughput_per_s or 1.0 for record in records])
    return np.array([logs[i] - stats.location(np.delete(logs, i)) for i in range(len(logs))])


def left_of(recording: Recording) -> tuple[int, dict[float, tuple[float, float]]]:
    """How many blocks were looked at, and for each share the median and the 90 % quantile of what is left."""
    reference = setup_of(recording).reference
    tracks: defaultdict[str, list[Record]] = defaultdict(list)
    for record in recording.records:
        if record.ok:
            tracks[record.config.key].append(record)
    if reference is None or len(tracks[reference.key]) < 5:
        raise SystemExit("the recording holds too few visits to a config without settings")
    course = tracks.pop(reference.key)
    moments = np.array([record.started_s for record in course])
    course_errors = errors_of(course)
    own, its = [], []
    for records in tracks.values():
        if len(records) < 5:
            continue
        for record, error in zip(records, errors_of(records), strict=True):
            if np.min(np.abs(moments - record.started_s)) <= NEAR_S:
                own.append(error)
                its.append(np.interp(record.started_s, moments, course_errors))
    found = {}
    for share in SHARES:
        left = np.abs(np.array(own) - share * np.array(its))
        found[share] = (float(np.median(left)), float(np.quantile(left, 0.9)))
    return len(own), found


def main() -> int:
    """Prints the table."""
    better = []
    for path in sys.argv[1:]:
        count, found = left_of(recording_file.read(Path(path)))
        print(f"{path}: {count} blocks")
        for share, (median, tail) in found.items():
            print(
                f"  {share:4.0%} of the reference's error taken off: median {median:.2%}, one in ten above {tail:.2%}"
            )
        usual, worst = found[0.0]
        better.append({share for share, left in found.items() if left[0] < 0.98 * usual and left[1] <= worst})
    helps = set.intersection(*better) if better else set()
    print(f"a share that helps everywhere: {', '.join(f'{s:.0%}' for s in sorted(helps)) or 'none'}")
    return 1 if helps else 0


if __name__ == "__main__":
    sys.exit(main())
