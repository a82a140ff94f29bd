import json
from dataclasses import replace
from typing import Any

import pytest

from ovtune import document
from ovtune.errors import DocumentError
from ovtune.recommendation import document_of
from ovtune.result import conclude
from ovtune.workload import ClosedLoop, ConstantRate, Poisson, Streams, Workload
from tests import fake

LOADS: list[tuple[Workload, dict[str, Any]]] = [
    (ClosedLoop(), {"kind": "closed"}),
    (ConstantRate(interval_s=0.03), {"kind": "interval", "interval_s": 0.03}),
    (Poisson(rate_per_s=200), {"kind": "poisson", "rate_per_s": 200}),
    (Streams(cameras=4, frames_per_s=30), {"kind": "streams", "cameras": 4, "frames_per_s": 30}),
]


def _tree(workload: Workload) -> dict[str, Any]:
    study = fake.study(trials=4, pairs=0)
    study = replace(study, setup=replace(study.setup, workload=workload))
    tree: dict[str, Any] = json.loads(document.text_of(document_of(conclude(study, study.goal))))
    return tree


@pytest.mark.parametrize(("workload", "load"), LOADS)
def test_each_load_is_told(workload: Workload, load: dict[str, Any]) -> None:
    """A document tells the load with its own numbers and no others, and is read again."""
    tree = _tree(workload)
    assert {name: value for name, value in tree["load"].items() if value is not None} == load
    assert document.parse(json.dumps(tree), name="it").load.kind == load["kind"]


@pytest.mark.parametrize(
    ("load", "message"),
    [
        ({"kind": "closed", "interval_s": 1.0}, "interval_s is no part of a load of kind closed"),
        ({"kind": "poisson"}, "rate_per_s is missing from a load of kind poisson"),
        ({"kind": "poisson", "interval_s": 1.0}, "interval_s is no part of"),
        ({"kind": "streams", "cameras": 3}, "frames_per_s is missing"),
        ({"kind": "streams", "cameras": 0, "frames_per_s": 30.0}, "load.cameras"),
        ({"kind": "bursts"}, "load.kind"),
        ({"kind": "poisson", "rate_per_s": 1.0, "seed": 3}, "load.seed"),
    ],
)
def test_loads_that_do_not_fit_together_are_refused(load: dict[str, Any], message: str) -> None:
    """A number that the kind of load has not, or has and lacks, is refused by its name."""
    with pytest.raises(DocumentError, match=message):
        document.parse(json.dumps(_tree(ClosedLoop()) | {"load": load}), name="it")
