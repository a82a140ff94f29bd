import sys
from pathlib import Path

import numpy as np
import pytest

from ovtune import session
from ovtune.budget import Budget
from ovtune.errors import ModelError, StudyError, UsageError
from ovtune.measurement import Plan
from ovtune.model import Shapes
from ovtune.place import Place
from ovtune.preparation import Wish
from ovtune.quantization import Quantization, quantize
from ovtune.result import Result
from ovtune.session import Search
from ovtune.study import agreement_of
from ovtune.wanted import Wanted

PLAN = Plan(duration_s=0.02, warmup_s=0.02, least_requests=2, longest_s=1.0, timeout_s=120.0)


def calibration(folder: Path, seed: int = 0) -> str:
    """A folder of items for demo:mlp."""
    folder.mkdir(exist_ok=True)
    for i in range(4):
        values = np.random.default_rng([seed, i]).random((1, 256), dtype=np.float32)
        np.save(folder / f"{i}.npy", values)
    return str(folder)


def test_without_nncf(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The message says what to type."""
    from ovtune.content import Feed

    monkeypatch.setitem(sys.modules, "nncf", None)
    shapes: Shapes = {}
    with pytest.raises(ModelError, match=r"pip install 'ovtune\[int8\]'"):
        quantize(Quantization(path="demo:mlp", feed=Feed(), shapes=shapes, target=str(tmp_path / "a.xml")))


@pytest.mark.runtime
def test_search(tmp_path: Path) -> None:
    """The model in eight bits is a variant, made once; the same command goes on, with other items it is refused."""
    pytest.importorskip("nncf")
    place = Place(folder=tmp_path / "studies")
    items = calibration(tmp_path / "items")

    def search(trials: int) -> Result:
        wish = Wish(
            model="demo:mlp",
            device_strings=("CPU",),
            int8=items,
            space=Wanted(only={"precision": ("int8",), "nireq": (1, 2), "batch_size": (1,)}),
        )
        budget = Budget(trials=trials, confirm_s=0.5, plan=PLAN)
        return session.run(Search(wish=wish, study="small", budget=budget), place)[0]

    first = search(4)
    small = [v.config for v in first.study.visits if v.config.precision == "int8"]
    found = agreement_of(first.study, small[0])
    assert found is not None
    assert found.max_rel is not None
    assert 0 < found.max_rel < 0.5
    (made,) = (place.folder / "small" / "model").glob("int8-*.xml")
    stamp = made.stat().st_mtime_ns
    assert len(search(5).study.visits) > len(first.study.visits)
    assert made.stat().st_mtime_ns == stamp
    calibration(tmp_path / "items", seed=1)
    with pytest.raises(StudyError, match="holds other items than it was quantized by"):
        search(6)


@pytest.mark.runtime
def test_two_variants_of_one_name(tmp_path: Path) -> None:
    """A variant may not be called as what --int8 makes."""
    wish = Wish(model="demo:mlp", int8=calibration(tmp_path / "items"), variants={"int8": "demo:mlp"})
    with pytest.raises(UsageError, match="makes a variant of that name"):
        session.run(Search(wish=wish), Place(folder=tmp_path))
