"""The rounds of a recording, for the benchmarks that search in some of them and hold others out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ovtune.measurement import Block, LatencyMetric
from ovtune.recording import Record, Recording, block_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """What one seed makes of a recording.

    Attributes:
        recording: The recording, its rounds in an order of the seed's own.
        seen: The rounds that are searched in.
        held_out: The rounds that tell the truth: of each five neighbouring ones two, drawn at random; of fewer that are
            left over, as many as come nearest.
        metric: The latency: p95, or p50 where not all visits tell that.
    """

    recording: Recording
    seen: set[int]
    held_out: set[int]
    metric: LatencyMetric

    @property
    def blocks(self) -> dict[str, list[Block]]:
        """The blocks of the rounds that are searched in, by the key of their config."""
        found: dict[str, list[Block]] = {}
        for record in self.recording.records:
            if record.ok and record.round in self.seen:
                block = block_of(record, self.recording.header, started_at=0.0)
                found.setdefault(record.config.key, []).append(block)
        return found


def split(recording: Recording, seed: int) -> Split:
    """The split of one seed."""
    mixed = reordered(recording, np.random.default_rng([seed, 3]))
    generator = np.random.default_rng([seed, 4])
    rounds = rounds_of(mixed)
    groups = [rounds[i : i + 5] for i in range(0, len(rounds), 5)]
    held_out = {int(round_) for group in groups for round_ in generator.permutation(group)[: round(0.4 * len(group))]}
    return Split(
        recording=mixed,
        seen={record.round for record in mixed.records} - held_out,
        held_out=held_out,
        metric="p95" if all(record.tells("p95") for record in mixed.records if record.ok) else "p50",
    )


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
