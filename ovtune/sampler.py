"""The decision of what to measure next, as an Optuna sampler."""

from collections.abc import Iterable, Mapping
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution

from ovtune.config import Config, Scalar, parameters
from ovtune.space import Space
from ovtune.store import CONFIG_ATTRIBUTE
from ovtune.wanted import UNSET


class ProposalSampler(optuna.samplers.BaseSampler):
    """Gives each trial the parameters of a proposed config.

    Args:
        space: The space.
        others: What may be tried beside it.
    """

    def __init__(self, space: Space, others: Iterable[Config] = ()) -> None:
        self._distributions = distributions(space, others)
        self._proposed: dict[str, Scalar] = {}

    def give(self, trial: optuna.Trial, config: Config) -> None:
        """Gives ``trial`` its config: the name first, so that a search killed on the way goes on with this very one."""
        trial.set_user_attr(CONFIG_ATTRIBUTE, config.key)
        self._proposed = parameters(config)
        for name in self._proposed:
            match self._distributions[name]:
                case IntDistribution(low=low, high=high, log=log):
                    trial.suggest_int(name, low, high, log=log)
                case CategoricalDistribution(choices=choices):
                    trial.suggest_categorical(name, choices)

    def infer_relative_search_space(
        self, study: optuna.Study, trial: optuna.trial.FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """The distributions of the proposed config's parameters."""
        return {name: self._distributions[name] for name in self._proposed}

    def sample_relative(
        self, study: optuna.Study, trial: optuna.trial.FrozenTrial, search_space: Mapping[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The proposed config's parameters."""
        return dict(self._proposed)

    def sample_independent(
        self,
        study: optuna.Study,
        trial: optuna.trial.FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """A parameter that no config of the space has: refused.

        Raises:
            KeyError: always.
        """
        raise KeyError(param_name)


def distributions(space: Space, others: Iterable[Config] = ()) -> dict[str, BaseDistribution]:
    """A distribution for each parameter of the space and of ``others``.

    Whole numbers on a logarithmic scale, the others as choices.
    """
    values = {name: found - {UNSET} for name, found in space.values.items()}
    for config in others:
        for name, value in parameters(config).items():
            values.setdefault(name, set()).add(value)
    return {name: _distribution(found) for name, found in values.items()}


def _distribution(values: set[Scalar]) -> BaseDistribution:
    numbers = [v for v in values if isinstance(v, int) and not isinstance(v, bool)]
    if len(numbers) == len(values) and min(numbers) >= 1:
        return IntDistribution(min(numbers), max(numbers), log=True)
    return CategoricalDistribution(sorted(values, key=str))
