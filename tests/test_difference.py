from dataclasses import replace
from typing import Any

import pytest

from ovtune.difference import Difference, differences
from ovtune.document import Document
from ovtune.environment import Environment
from tests import promised

DOCUMENT = promised.document()


def here(**changes: Any) -> Environment:
    stamp = DOCUMENT.environment
    same = Environment(
        openvino=stamp.openvino,
        devices=dict(stamp.devices),
        cpu=stamp.cpu,
        cpus=stamp.cpus,
        quota=stamp.quota,
        memory_bytes=stamp.memory_bytes,
        system=stamp.system,
    )
    return replace(same, **changes)


def told(environment: Environment, document: Document = DOCUMENT, sha256: str | None = None) -> list[Difference]:
    return list(differences(document, environment, path="net.xml", sha256=sha256 or document.model.sha256))


def test_nothing_differs() -> None:
    """The same model on the same host has no differences."""
    assert told(here()) == []


@pytest.mark.parametrize(
    ("changes", "kind", "text"),
    [
        ({"openvino": "2027.1"}, "openvino", "OpenVINO is 2027.1, measured with 2026.4"),
        ({"devices": {}}, "device", "device CPU is missing, measured on Test CPU"),
        ({"cpus": 999}, "more_cpus", "999 CPUs may be used, measured with "),
        ({"cpus": 0}, "fewer_cpus", "0 CPUs may be used, measured with "),
        ({"quota": 0.5}, "quota", "the CPU quota is 0.5 CPUs, measured with "),
    ],
)
def test_each_difference_is_told(changes: dict[str, Any], kind: str, text: str) -> None:
    """Version, devices, CPUs in both directions and quota each have a kind and a sentence."""
    (found,) = told(here(**changes))
    assert found.kind == kind
    assert found.text.startswith(text)


def test_another_model_is_told_by_its_content() -> None:
    """Another digest is another model, whatever its path."""
    (found,) = told(here(), sha256="f" * 64)
    assert found == Difference(kind="model", text="model net.xml is not the one that was measured (demo:mobilenet)")
