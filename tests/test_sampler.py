from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, IntDistribution

from ovtune.config import Config, parameters
from ovtune.goal import Goal
from ovtune.sampler import ProposalSampler, distributions
from ovtune.space import Space
from ovtune.store import CONFIG_ATTRIBUTE, Store, file_url
from ovtune.workload import ConstantRate
from tests import fake
from tests.place import database


def trials_of(space: Space) -> optuna.Study:
    """An Optuna study in memory whose sampler gives configs of ``space``."""
    return optuna.create_study(directions=["maximize", "minimize"], sampler=ProposalSampler(space))


def test_numbers_are_whole_and_logarithmic_the_others_are_choices() -> None:
    """Ordered numbers are integers on a log scale, not categories; devices, hints and precisions are choices."""
    told = distributions(fake.space(ConstantRate(interval_s=0.03)))
    for name in ("nireq", "batch_size", "auto_batch_size", "AUTO_BATCH_TIMEOUT"):
        found = told[name]
        assert isinstance(found, IntDistribution)
        assert found.log
    for name in ("device", "hint", "precision", "INFERENCE_PRECISION_HINT"):
        assert isinstance(told[name], CategoricalDistribution)


def test_every_config_lies_in_the_distributions() -> None:
    """Each config's parameters have a distribution that holds their value."""
    for workload in (None, ConstantRate(interval_s=0.03)):
        space = fake.space(workload)
        told = distributions(space)
        for config in space.configs:
            for name, value in parameters(config).items():
                assert told[name]._contains(told[name].to_internal_repr(value))


def test_trial_holds_the_parameters_of_its_config() -> None:
    """A trial that is given a config holds its name and exactly its parameters, of the same types."""
    space = fake.space(ConstantRate(interval_s=0.03))
    study = trials_of(space)
    sampler = study.sampler
    assert isinstance(sampler, ProposalSampler)
    for config in space.configs[:: len(space.configs) // 25]:
        trial = study.ask()
        sampler.give(trial, config)
        assert study.trials[-1].params == parameters(config)
        assert study.trials[-1].user_attrs[CONFIG_ATTRIBUTE] == config.key


def test_begun_trial_is_completed_with_the_same_config(tmp_path: Path) -> None:
    """A trial that was cut off between two of its parameters gets the rest of them from another process."""
    store = Store(file_url(database(tmp_path)))
    setup = fake.setup()
    store.create("one", setup, Goal())
    config = setup.space.configs[7]
    first = store.optuna_study("one").ask()
    first.set_user_attr(CONFIG_ATTRIBUTE, config.key)
    first.suggest_categorical("device", ("CPU",))
    sampler = ProposalSampler(setup.space)
    study = store.optuna_study("one", sampler)
    sampler.give(store.trial(study, 0), config)
    assert study.trials[0].params == parameters(config)
    store.close()


def test_config_of_another_space_is_refused() -> None:
    """A parameter that the study's space does not have is an error, not a guess."""
    study = trials_of(fake.space())
    sampler = study.sampler
    assert isinstance(sampler, ProposalSampler)
    strange = replace(fake.BASELINES[0].config, properties={"NUM_STREAMS": 2})
    with pytest.raises(KeyError, match="NUM_STREAMS"):
        sampler.give(study.ask(), strange)
    with pytest.raises(KeyError):
        study.ask().suggest_int("other", 1, 4)


@given(st.lists(st.one_of(st.booleans(), st.integers(-3, 64), st.floats(0, 1), st.text(max_size=3)), min_size=1))
def test_any_values_of_a_property_find_a_distribution(values: list[bool | int | float | str]) -> None:
    """Whatever values a property takes, each config can be given to a trial and read back."""
    configs = [Config(device="CPU", properties={"P": value}, nireq=1) for value in values]
    space = Space(configs=tuple({c.key: c for c in configs}.values()))
    study = trials_of(space)
    sampler = study.sampler
    assert isinstance(sampler, ProposalSampler)
    for config in space.configs:
        sampler.give(study.ask(), config)
        assert study.trials[-1].params["P"] == config.properties["P"]
