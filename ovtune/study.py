"""A study as it stands: everything that was measured, in the order of time."""

import functools
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ovtune.agreement import Agreement
from ovtune.budget import Budget
from ovtune.config import Config
from ovtune.content import Feed
from ovtune.environment import Environment
from ovtune.errors import UsageError
from ovtune.evaluator import Failed, Infeasible, Outcome, SameAs
from ovtune.goal import Goal
from ovtune.lead import Lead
from ovtune.measurement import Block
from ovtune.model import Model, Shapes
from ovtune.space import Space
from ovtune.wanted import Wanted
from ovtune.workload import Load, Workload

Phase = Literal["search", "reference", "check", "elimination", "duel", "soak", "capacity", "verification"]
CHOOSING: tuple[Phase, ...] = ("search", "reference", "elimination")
"""The phases whose blocks choose who meets in the duel, which itself takes no part in that."""
CONFIRMED_SUFFIX = ".confirmed"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")
_TAKEN = frozenset({"recordings", "benchmarks"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """One of OpenVINO's own answers: what it is called, and the config that it comes to."""

    name: str
    config: Config


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What a study remembers from its beginning and never changes.

    Attributes:
        model: The model.
        workload: The load, or the capacity that is asked for.
        environment: The host.
        space: The configs that may be tried.
        wanted: Which part of what can be searched that is.
        shapes: A concrete shape for each dynamic input.
        variants: Other files of the same model, by the precision that configs name them by.
        feed: What the model is fed with.
        baselines: OpenVINO's own answers among them, equal ones merged.
        plugins: Further device names and the libraries that serve them.
        device_strings: The device strings that the user chose; empty for all that make sense.
        refused: The device strings that could not be searched, each with the reason.
        recording: The digest of the recording that it measures in; "" on a host.
        beside: The command that runs in the background of every measurement, or None.
        lead: The front of another study that it begins with, as far as it fits; None where none was asked for.
    """

    model: Model
    workload: Load
    environment: Environment
    space: Space
    baselines: tuple[Baseline, ...]
    plugins: Mapping[str, str] = field(default_factory=dict)
    device_strings: tuple[str, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)
    recording: str = ""
    beside: str | None = None
    wanted: Wanted = field(default_factory=Wanted)
    feed: Feed = field(default_factory=Feed)
    shapes: Shapes = field(default_factory=dict)
    variants: Mapping[str, Model] = field(default_factory=dict)
    lead: Lead | None = None

    @property
    def led_by(self) -> tuple[Config, ...]:
        """The configs of another study's front that it begins with."""
        return self.lead.configs if self.lead is not None else ()

    @property
    def reference(self) -> Config | None:
        """What is visited again and again to show the host's course: no settings on the first device."""
        plain = [b.config for b in self.baselines if "no settings" in b.name]
        return next(iter((*plain, *(b.config for b in self.baselines))), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """Who meets in a duel, for which goal, when it is looked at (numbers of pairs), and how many such were ``earlier``.

    ``wanted`` is how many pairs there was time for, where a recording holds fewer. Fixed before its first pair.
    """

    candidate: Config
    baseline: Config
    goal: Goal
    looks: tuple[int, ...]
    earlier: int = 0
    wanted: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One answer of the evaluator: which config, why it was asked, and what came of it.

    Attributes:
        number: Its place in the study, from 0, in the order of time.
        phase: What it was for: ``reference`` is a visit in the search that is no trial, mostly to show the host's
            course, ``check`` one that looks whether two configs truly run alike, ``soak`` a long run after the duel.
        trial: The trial that it belongs to, in the search.
        confirmation: The confirmation that it belongs to, counted from 1; 0 in the search.
        round: The round of the elimination or of the checks, the pair of the duel, or the block at one load of a
            capacity, from 0.
        config: What was asked for.
        outcome: What came of it.
        workload: The load, where it is not that of the study's search.
    """

    number: int
    phase: Phase
    trial: int | None
    confirmation: int
    round: int
    config: Config
    outcome: Outcome
    workload: Workload | None = None


@dataclass(frozen=True, kw_only=True)
class Study:
    """Everything that is known of a study. Without slots: what is derived from its visits is kept.

    Attributes:
        name: Its name.
        created: When it began, ISO 8601 in UTC.
        setup: What it is about.
        goal: The goal of the last search.
        trials: How many trials it holds.
        stopped: Why the last search ended, in words; "" while it runs.
        duels: The sides of each duel, by its confirmation.
        visits: What was measured, in the order of time.
        budget: How much the last search might take; None where an earlier ovtune did not write it down.
    """

    name: str
    created: str
    setup: Setup
    goal: Goal
    trials: int
    stopped: str
    duels: Mapping[int, Sides]
    visits: tuple[Visit, ...]
    budget: Budget | None = None

    @functools.cached_property
    def owners(self) -> dict[str, str]:
        """For each config that shares another one's blocks, the key of the config that was measured.

        One that has blocks of its own shares no more.
        """
        own = {v.config.key for v in self.visits if isinstance(v.outcome, Block) and v.phase in CHOOSING}
        shared = (v for v in self.visits if v.config.key not in own)
        return {v.config.key: v.outcome.config_key for v in shared if isinstance(v.outcome, SameAs)}

    @functools.cached_property
    def outputs(self) -> dict[str, Agreement]:
        """How far the outputs of each config, by its key, are from the reference's, where somebody looked.

        Where its own were not looked at, those of the config that runs alike.
        """
        found: dict[str, Agreement] = {}
        for visit in self.visits:
            if isinstance(visit.outcome, Block | SameAs) and visit.outcome.outputs is not None:
                found.setdefault(visit.config.key, visit.outcome.outputs)
        return {key: found[owner] for key, owner in self.owners.items() if owner in found} | found

    def owner(self, config: Config) -> str:
        """The key of the config whose blocks tell of ``config``: mostly its own."""
        return self.owners.get(config.key, config.key)


def complete(trials: int) -> str:
    """Why a search ended that made all the trials that it was asked for."""
    return f"all {trials} trials are done"


def trials_of(study: Study) -> tuple[Visit, ...]:
    """What each trial of the search came to, in order: its last visit, where it was made again."""
    return tuple({v.trial: v for v in study.visits if v.trial is not None}.values())


def check_name(name: str) -> str:
    """``name``, where a study may have it.

    Raises:
        UsageError: it may not.
    """
    if name in _TAKEN:
        raise UsageError(f"study name {name!r} is taken by ovtune's own folder: choose another one")
    if not _NAME.fullmatch(name) or name.endswith(CONFIRMED_SUFFIX):
        shown = name if len(name) <= 40 else name[:40] + "..."
        raise UsageError(
            f"study name {shown!r} cannot be used: take at most 64 letters, digits, '.', '_' or '-', "
            f"not starting with '.' or '-' and not ending in {CONFIRMED_SUFFIX!r}"
        )
    return name


def name_for(model_name: str) -> str:
    """The study name that a model's name gives: other characters become ``-``."""
    name = re.sub(r"[^A-Za-z0-9._-]", "-", model_name).lstrip(".-")[:64] or "model"
    return f"{name[:58]}-study" if name in _TAKEN or name.endswith(CONFIRMED_SUFFIX) else name


def blocks_by_config(visits: tuple[Visit, ...], *phases: Phase) -> dict[str, list[Block]]:
    """The blocks of the given phases by the key of the config that was measured, in the order of time.

    Those that other work on the host held up are left out where the config has others.
    """
    made = every_block(visits, *phases)
    return {key: [b for b in found if not b.contended] or found for key, found in made.items()}


def every_block(visits: tuple[Visit, ...], *phases: Phase) -> dict[str, list[Block]]:
    """The same with those that other work held up."""
    blocks: defaultdict[str, list[Block]] = defaultdict(list)
    for visit in visits:
        if visit.phase in phases and isinstance(visit.outcome, Block):
            blocks[visit.config.key].append(visit.outcome)
    return dict(blocks)


def agreement_of(study: Study, config: Config) -> Agreement | None:
    """How far the outputs of one config are from the reference's; None where nobody looked."""
    return study.outputs.get(config.key)


def last_confirmation(study: Study) -> int:
    """The number of the last confirmation that was begun, from 1; 0 before any."""
    return max((*(v.confirmation for v in study.visits), *study.duels), default=0)


def reason_of(outcome: Outcome) -> str:
    """Why an outcome holds no numbers, or "" where it does."""
    return outcome.reason if isinstance(outcome, Infeasible | Failed) else ""
