"""What differs between where a document was measured and where it is used."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from ovtune.document import Document
from ovtune.environment import Environment

DifferenceKind = Literal["model", "openvino", "device", "fewer_cpus", "more_cpus", "quota"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One difference: its kind, and a sentence about it."""

    kind: DifferenceKind
    text: str


def differences(document: Document, here: Environment, *, path: str, sha256: str) -> Iterator[Difference]:
    """What differs from ``document`` on the host ``here``, with the model at ``path`` whose digest is ``sha256``."""
    there = document.environment
    if sha256 != document.model.sha256:
        yield Difference(kind="model", text=another_model(path, document.model.path))
    if here.openvino != there.openvino:
        yield Difference(kind="openvino", text=f"OpenVINO is {here.openvino}, measured with {there.openvino}")
    for name, full_name in there.devices.items():
        if here.devices.get(name) != full_name:
            text = f"device {name} is {here.devices.get(name, 'missing')}, measured on {full_name}"
            yield Difference(kind="device", text=text)
    if here.cpus != there.cpus:
        kind: DifferenceKind = "fewer_cpus" if here.cpus < there.cpus else "more_cpus"
        yield Difference(kind=kind, text=f"{here.cpus} CPUs may be used, measured with {there.cpus}")
    if here.quota != there.quota:
        text = f"the CPU quota is {_limit(here.quota)}, measured with {_limit(there.quota)}"
        yield Difference(kind="quota", text=text)


def another_model(path: str, measured: str) -> str:
    """The sentence on a model that is not the one at ``measured``."""
    return f"model {path} is not the one that was measured ({measured})"


def doubts(document: Document) -> Iterator[str]:
    """What the verdict leaves open, wherever the document is used."""
    if document.verdict.kind == "unconfirmed":
        yield "the config was not confirmed against OpenVINO's own best answer"
    if document.verdict.kind == "infeasible":
        yield "the config did not meet the limits when it was measured: it is the nearest to them"


def _limit(quota: float | None) -> str:
    return "none" if quota is None else f"{quota:g} CPUs"
