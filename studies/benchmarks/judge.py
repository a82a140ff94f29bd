"""What a searcher comes to, held against the truth of a recording."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from truth import Aim, Truth

from ovtune.config import Config

_WORSE, _DOUBT = 0.01, 0.0228
NEVER: Mapping[str, object] = {"trials_to_95": None, "seconds_to_95": None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a searcher comes to.

    Attributes:
        recommended: The config that it recommends; None for none.
        gain: The throughput that it claims for that, as a logarithm; None where it claims none.
        slow: The latency, likewise.
        front: What it takes for the front.
        tried: What it measured, each with the simulated time at its end, in seconds.
        verdict: How sure it says it is.
        unbeaten: That, and what it does not take for shown to be beaten; None where it makes no such difference.
    """

    recommended: Config | None
    gain: float | None
    slow: float | None
    front: Sequence[Config]
    tried: Sequence[tuple[Config, float]]
    verdict: str = "none"
    unbeaten: Sequence[Config] | None = None


def judged(claim: Claim, aim: Aim, truth: Truth) -> dict[str, object]:
    """The columns of :class:`scoreboard.Found` that tell how good a claim is."""
    place = None if claim.recommended is None else truth.place(claim.recommended)
    return {
        "visited": _visited([config for config, _ in claim.tried], truth, aim),
        "regret": _regret(place, truth, aim),
        "verdict": claim.verdict,
        "worse": worse(place, aim, truth),
        "gap": None if place is None else _gap(claim, place, aim, truth),
        "front": truth.front_share(_places(truth, claim.front)),
        "on_front": len(claim.front),
        "unbeaten": None if claim.unbeaten is None else truth.front_share(_places(truth, claim.unbeaten)),
        "on_unbeaten": None if claim.unbeaten is None else len(claim.unbeaten),
        **_to_95(claim.tried, aim, truth),
    }


def _places(truth: Truth, configs: Iterable[Config]) -> list[int]:
    return [place for config in configs if (place := truth.place(config)) is not None]


def _regret(place: int | None, truth: Truth, aim: Aim) -> float:
    """Of a config that never ran, and of none, as much as of the worst one."""
    worth = truth.worth(aim)
    return _less(worth, float(worth.min() if place is None else worth[place]))


def _visited(configs: Iterable[Config], truth: Truth, aim: Aim) -> float:
    worth = truth.worth(aim)
    return _less(worth, float(max((worth[place] for place in _places(truth, configs)), default=worth.min())))


def _less(worth: np.ndarray, own: float) -> float:
    """How much less than the best the own worth is, as a share."""
    return 1 - float(np.exp(own - worth.max()))


def worse(place: int | None, aim: Aim, truth: Truth) -> float:
    """1 where the config is worse than the strongest of OpenVINO's own answers, beyond doubt, else 0."""
    if place is None or not truth.answers:
        return float(place is None)
    worth = truth.worth(aim)
    rivals = [answer for answer in truth.answers if truth.keeps(aim, answer)] or truth.answers
    strongest = max(rivals, key=lambda answer: worth[answer])
    doubt = NormalDist().inv_cdf(1 - _DOUBT / len(rivals)) * truth.apart(aim, strongest, place)
    return float(worth[place] < worth[strongest] - _WORSE - doubt)


def _gap(claim: Claim, place: int, aim: Aim, truth: Truth) -> float | None:
    """How much better the claimed figures are than the truth's rounds come to, for ``aim``, as a logarithm.

    The mean of ratios would be above 1 by half the noise's variance, where nothing is claimed too large.
    """
    true_gain, true_slow = truth.again[place]
    more = None if claim.gain is None else claim.gain - true_gain
    faster = None if claim.slow is None else true_slow - claim.slow
    match aim.prefer:
        case "latency":
            return faster
        case "balanced":
            return None if more is None or faster is None else more + faster
        case _:
            return more


def _to_95(tried: Sequence[tuple[Config, float]], aim: Aim, truth: Truth) -> Mapping[str, object]:
    worth = truth.worth(aim)
    near = {truth.configs[i].key for i in np.flatnonzero(worth >= worth.max() + np.log(0.95))}
    for number, (config, end_s) in enumerate(tried, start=1):
        if config.key in near:
            return {"trials_to_95": float(number), "seconds_to_95": float(end_s)}
    return NEVER
