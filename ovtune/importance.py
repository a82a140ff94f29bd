"""Which parameters decide what was measured."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import optuna
from optuna.distributions import CategoricalDistribution

from ovtune.config import Scalar, parameters
from ovtune.estimate import Unavailable
from ovtune.objective import objective_of
from ovtune.result import Result
from ovtune.wanted import UNSET

ENOUGH = 50
"""From how many measured configs on importances can be relied on."""
_LEAST = 10
_BEST, _SHARE = 5, 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Importance:
    """How much one parameter decides whether a config is among the best; of all parameters together 1.

    Attributes:
        parameter: Its name.
        weighed: For what the latency is weighed against.
        latency: For the latency by which the configs are compared.
    """

    parameter: str
    weighed: float
    latency: float


def importances(result: Result) -> tuple[Importance, ...]:
    """The importance of each parameter that was varied, the most important first; none where too little was measured.

    By PED-ANOVA (Watanabe et al., IJCAI 2023, arXiv:2304.10255) on the estimates of the distinct configs: how far the
    values of the best tenth, five at least, are spread unlike those of all.
    """
    told = {
        e.config: q for e in result.estimates.values() if not isinstance(q := e.latency_ms[result.metric], Unavailable)
    }
    configs = [config for config in told if math.isfinite(told[config].value)]
    if len(configs) < _LEAST:
        return ()
    rows = [parameters(config) for config in configs]
    names = [name for name in dict.fromkeys(n for row in rows for n in row) if len({row.get(name) for row in rows}) > 1]
    table = [{name: row.get(name, UNSET) for name in names} for row in rows]
    objective = objective_of(result.goal, result.estimates.values())
    costly = [-objective.merit(objective.of(result.estimates[config.key]).value) for config in configs]
    slow = [math.log(told[config].value) for config in configs]
    weighed, latency = _importances(table, costly), _importances(table, slow)
    found = [Importance(parameter=n, weighed=weighed[n], latency=latency[n]) for n in names]
    return tuple(sorted(found, key=lambda one: -max(one.weighed, one.latency)))


def _importances(table: Sequence[Mapping[str, Scalar]], values: Sequence[float]) -> dict[str, float]:
    """The importances for low ``values``."""
    names = table[0].keys()
    choices = {name: tuple(sorted({row[name] for row in table}, key=str)) for name in names}
    kinds = {name: CategoricalDistribution(found) for name, found in choices.items()}
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.study.create_study(storage=optuna.storages.InMemoryStorage())
    study.add_trials(
        [
            optuna.trial.create_trial(params=dict(row), distributions=dict(kinds), value=value)
            for row, value in zip(table, values, strict=True)
        ]
    )
    quantile = min(max(_SHARE, _BEST / len(values)), 0.5)
    evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=quantile)
    return optuna.importance.get_param_importances(study, evaluator=evaluator)
