from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ovtune import preparation
from ovtune.environment import Environment, describe_host
from ovtune.errors import ModelError, StudyError, UsageError
from ovtune.model import digest
from ovtune.preparation import Wish
from ovtune.resumption import check_same, placed
from ovtune.study import Setup
from ovtune.workload import ClosedLoop, ConstantRate
from tests import fake
from tests.fake_runtime import FakeRuntime


class TestCheckSame:
    def setup(self) -> Setup:
        setup = fake.setup()
        return replace(
            setup,
            environment=describe_host("2026.4", (fake.CPU,)),
            plugins={"CPUX": "cpu_plugin"},
            device_strings=("CPU",),
        )

    def test_same_wish_passes(self, use: Callable[[FakeRuntime], FakeRuntime]) -> None:
        """The same command, and one that says less, go on with the study."""
        use(FakeRuntime())
        check_same(self.setup(), Wish(), "one")
        whole = Wish(
            model="demo:mobilenet",
            workload=ClosedLoop(),
            device_strings=("CPU",),
            plugins={"CPUX": "cpu_plugin"},
        )
        check_same(self.setup(), whole, "one")

    @pytest.mark.parametrize(
        ("wish", "said"),
        [
            (Wish(workload=ConstantRate(interval_s=0.03)), "load: interval:30ms, not closed"),
            (Wish(device_strings=("AUTO",)), "devices: AUTO, not CPU"),
            (Wish(shapes={"x": (1, 8)}), r"shapes: x\[1,8\], not none"),
            (Wish(plugins={"CPUY": "cpu_plugin"}), "plugins: .*CPUY.*, not .*CPUX"),
        ],
    )
    def test_other_wish_is_refused_with_the_difference(
        self, use: Callable[[FakeRuntime], FakeRuntime], wish: Wish, said: str
    ) -> None:
        """Another load, other devices or other plugins are shown beside what the study was made with."""
        use(FakeRuntime())
        with pytest.raises(StudyError, match=said) as caught:
            check_same(self.setup(), wish, "one")
        assert "--study" in str(caught.value)

    def test_changed_model_is_refused(self, use: Callable[[FakeRuntime], FakeRuntime]) -> None:
        """A model of the same path with other weights is another one."""
        runtime = use(FakeRuntime())
        runtime.model = replace(fake.MODEL, sha256="f" * 64)
        with pytest.raises(StudyError, match=r"model: demo:mobilenet \(ffffffff\), not demo:mobilenet \(00000000\)"):
            check_same(self.setup(), Wish(), "one")

    @pytest.mark.parametrize(
        ("change", "said"),
        [({"cpus": 99}, "cpus: .*, not 99"), ({"openvino": "2025.1"}, "openvino: 2026.4, not 2025.1")],
    )
    def test_other_host_is_refused(
        self, use: Callable[[FakeRuntime], FakeRuntime], change: dict[str, int | str], said: str
    ) -> None:
        """Measurements of another machine are not mixed with this one's."""
        use(FakeRuntime())
        environment: Environment = replace(self.setup().environment, **change)  # type: ignore[arg-type]
        with pytest.raises(StudyError, match=said):
            check_same(replace(self.setup(), environment=environment), Wish(), "one")


class TestInputs:
    def wish(self, tmp_path: Path) -> Wish:
        for name, value in (("a", 0.0), ("b", 1.0)):
            np.save(tmp_path / f"{name}.npy", np.full((1, 3, 224, 224), value, np.float32))
        return Wish(inputs=(str(tmp_path),))

    def test_other_content_is_another_study(self, use: Callable[[FakeRuntime], FakeRuntime], tmp_path: Path) -> None:
        """The same path with another file behind it is refused by name, asked for again or not."""
        use(FakeRuntime())
        wish = self.wish(tmp_path)
        setup = preparation.make(wish, "demo:mobilenet", ClosedLoop(), Path("unused"))
        check_same(setup, wish, "one")
        np.save(tmp_path / "b.npy", np.full((1, 3, 224, 224), 2.0, np.float32))
        for asked in (wish, Wish()):
            with pytest.raises(StudyError, match=r"input .*b\.npy: other content than it had"):
                check_same(setup, asked, "one")
        (tmp_path / "b.npy").unlink()
        with pytest.raises(UsageError, match=r"b\.npy cannot be read"):
            check_same(setup, Wish(), "one")


def test_a_variant_that_has_gone_is_named(use: Callable[[FakeRuntime], FakeRuntime], tmp_path: Path) -> None:
    """Its file deleted, the message tells that it is the variant's and not the model's."""
    use(FakeRuntime())
    file = tmp_path / "small.xml"
    file.write_text("content")
    base = TestCheckSame().setup()
    variant = replace(base.model, path=str(file), sha256=digest(str(file)))
    setup = replace(base, variants={"small": variant})
    check_same(setup, Wish(), "one")
    file.unlink()
    with pytest.raises(ModelError, match=r"variant small: model .*small\.xml does not exist"):
        check_same(setup, Wish(), "one")


def test_files_are_taken_from_where_they_are_now() -> None:
    """A model and a variant that were renamed are run under their new names; what is not named stays where it was."""
    base = fake.setup()
    setup = replace(base, variants={name: replace(base.model, path=f"/old/{name}.xml") for name in ("small", "int8")})
    found = placed(setup, Wish(model="new.xml", variants={"small": "/new/small.xml"}))
    assert found.model.path == "new.xml"
    assert {name: model.path for name, model in found.variants.items()} == {
        "small": "/new/small.xml",
        "int8": "/old/int8.xml",
    }
    assert placed(setup, Wish()) == setup
