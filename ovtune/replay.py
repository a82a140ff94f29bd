"""The evaluator answered from a recording: noise as it came, in a time of its own.

Noise comes in regimes, and neighbouring blocks share theirs. A replay must keep that, or interleaving would be worth
nothing in it, and visits that repeat one config would tell more than they do in truth. So it has a place in the
recorded time, and a visit moves it to where the visited block ended. A config's blocks are given in their recorded
order; of those that come after its last one, the visit gets the one that was recorded nearest to the place. Two configs
that are visited in turns so meet in one recorded round after the other, each time as close as they were recorded, even
if one of them had been visited more often before. What lies between is skipped. When nothing of a config is left after
its last block, the place goes back to the beginning of the recording, for all configs: what was skipped is given now,
in its order. A config that has been given whole begins again, with its first block.
"""

from collections import defaultdict
from collections.abc import Collection

from ovtune.config import Config, split_batch
from ovtune.evaluator import Failed, Infeasible, Outcome
from ovtune.measurement import Plan
from ovtune.recording import Record, Recording, block_of
from ovtune.space import Space
from ovtune.study import Baseline, Setup
from ovtune.workload import describe

_NO_REASON = "the recording does not say why"
_LISTS = ("AUTO", "MULTI", "HETERO", "BATCH")
_ADVISED = "OPTIMAL_NUMBER_OF_INFER_REQUESTS"


class Replay:
    """Measures in a recording.

    Args:
        recording: The recording.
        rounds: The rounds to draw from, so that others can be held out for the truth; all unless told.

    Attributes:
        now_s: The simulated time in seconds: what the visits so far took when they were recorded.
    """

    def __init__(self, recording: Recording, *, rounds: Collection[int] | None = None) -> None:
        self.now_s = 0.0
        self._header = recording.header
        self._place_s = 0.0
        tracks: defaultdict[str, list[Record]] = defaultdict(list)
        for record in recording.records:
            if rounds is None or record.round in rounds:
                tracks[record.config.key].append(record)
        self._tracks = dict(tracks)
        self._given = {key: [False] * len(track) for key, track in tracks.items()}
        self._spent: set[str] = set()
        self._last = dict.fromkeys(tracks, (0, -1))
        self._lap = 0

    def evaluate(self, config: Config, plan: Plan, /) -> Outcome:
        """The recorded visit whose turn it is; how long ``plan`` wants to measure, a recording cannot heed."""
        if plan.workload is not None and plan.workload != self._header.workload:
            loads = f"{describe(self._header.workload)}, not under {describe(plan.workload)}"
            return Failed(reason=f"the recording was made under {loads}")
        track = self._tracks.get(config.key)
        if track is None:
            return Infeasible(reason="it is not in the recording, or not in the rounds that are drawn from")
        record = self._turn(config.key, track)
        self._place_s = record.started_s + record.cost_s
        started_at = self._header.began_at + self.now_s
        self.now_s += record.cost_s
        if record.ok:
            return block_of(record, self._header, started_at=started_at)
        kind = Failed if any(other.ok for other in track) else Infeasible
        return kind(reason=record.reason or _NO_REASON, cost_s=record.cost_s)

    def fresh_blocks(self, config: Config, /) -> int:
        """How many recorded blocks of ``config`` are left that were not given yet."""
        if config.key not in self._tracks or config.key in self._spent:
            return 0
        marks = zip(self._tracks[config.key], self._given[config.key], strict=True)
        return sum(record.ok and not given for record, given in marks)

    def _turn(self, key: str, track: list[Record]) -> Record:
        """The nearest to the place of those to come, of two as near the later; after the last, the first again."""
        given = self._given[key]
        if all(given):
            self._spent.add(key)
            given[:] = [False] * len(track)
        lap, last = self._last[key]
        to_come = [i for i in range(last + 1 if lap == self._lap else 0, len(track)) if not given[i]]
        if not to_come:
            self._lap, self._place_s = self._lap + 1, 0.0
            to_come = [i for i in range(len(track)) if not given[i]]
        chosen = min(reversed(to_come), key=lambda i: abs(track[i].started_s - self._place_s))
        given[chosen] = True
        self._last[key] = self._lap, chosen
        return track[chosen]


def setup_of(recording: Recording) -> Setup:
    """What a study that measures in ``recording`` is about: its model, load and host, and the configs in it."""
    header, configs = recording.header, recording.configs
    return Setup(
        model=header.model,
        workload=header.workload,
        environment=header.environment,
        space=Space(configs=configs),
        baselines=_named(recording) or _usual(recording),
        recording=recording.sha256,
    )


def _named(recording: Recording) -> tuple[Baseline, ...]:
    """The configs that the recording itself calls OpenVINO's own answers."""
    names: dict[Config, str] = {}
    for record in recording.records:
        if record.baseline:
            names.setdefault(record.config, record.baseline)
    return tuple(Baseline(name=name, config=config) for config, name in names.items())


def _usual(recording: Recording) -> tuple[Baseline, ...]:
    """Where it names none: no properties or a hint alone, on one device, batch 1.

    With the infer requests that the device advises, where the recording tells and holds them: the others are none of
    its answers.
    """
    advised: defaultdict[tuple[str, str | None], set[object]] = defaultdict(set)
    for record in recording.records:
        if record.effective and _ADVISED in record.effective:
            advised[record.config.device, record.config.hint].add(record.effective[_ADVISED])
    plain = [config for config in recording.configs if _is_plain(config)]
    native = {c.precision for c in plain} & {"FP32"} or {c.precision for c in plain}
    groups: defaultdict[tuple[str, str | None], list[Config]] = defaultdict(list)
    for config in plain:
        if config.precision in native:
            groups[config.device, config.hint].append(config)
    found: list[Baseline] = []
    for (device, hint), members in groups.items():
        answers = [c for c in members if c.nireq in advised[device, hint]] or members
        name = f"{hint} hint on {device}" if hint else f"no settings on {device}"
        several = len(answers) > 1
        found += [Baseline(name=f"{name}, nireq {c.nireq}" if several else name, config=c) for c in answers]
    return tuple(found)


def _is_plain(config: Config) -> bool:
    device, auto_batch = split_batch(config.device)
    one = auto_batch == 1 and device.partition(":")[0] not in _LISTS
    alone = set(config.properties) <= {"PERFORMANCE_HINT"}
    return one and alone and config.batch_size == 1 and config.api == "async"
