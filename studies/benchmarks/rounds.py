"""The rounds of a recording, for the benchmarks that search in some of them and hold others out."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ovtune.recording import Record, Recording


def rounds_of(recording: Recording) -> Sequence[int]:
    """The rounds in which anything ran."""
    return sorted({record.round for record in recording.records if record.ok})


def reordered(recording: Recording, generator: np.random.Generator) -> Recording:
    """The recording with its rounds in a random order, one after the other, each as it was in itself.

    As recorded, all configs are visited in the first rounds and the best alone in those that follow: a search would
    live in the first, its duel in the last, and where the host got faster in the meantime every claim would look too
    large, by 3 % in one recording, for a config that nobody chose.
    """
    rounds: dict[int, list[Record]] = {}
    for record in recording.records:
        rounds.setdefault(record.round, []).append(record)
    records, end_s = [], 0.0
    for round_ in generator.permutation(sorted(rounds)):
        made = sorted(rounds[int(round_)], key=lambda record: record.started_s)
        later_s = end_s - made[0].started_s
        records += [replace(record, started_s=record.started_s + later_s) for record in made]
        end_s = records[-1].started_s + records[-1].cost_s
    return replace(recording, records=tuple(records))
