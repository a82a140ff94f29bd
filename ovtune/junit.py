"""What a check found as JUnit XML, as other people's continuous integration shows it."""

import re
from collections.abc import Mapping, Sequence
from xml.etree import ElementTree as ET

from ovtune.check import Kind
from ovtune.checking import Finding
from ovtune.finding import sentence, warnings

_UNPRINTABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold, however it is written."""
_NAME, _ALL = "ovtune check", "all promises"
_STANDINGS: Mapping[str, Kind] = {"inside": "holds", "machine": "holds", "below": "slower", "open": "undecided"}


def junit(finding: Finding, *, config: str, elapsed_s: float) -> str:
    """A suite with a case for each thing that was promised: a failure where it is broken, an error where undecided.

    Args:
        finding: What was found.
        config: What the document is called.
        elapsed_s: How long the check took.
    """
    said = [sentence(finding), *(f"warning: {line}" for line in warnings(finding))]
    return _suite(_cases(finding), said, config=config, elapsed_s=elapsed_s)


def unchecked(why: str, *, config: str, elapsed_s: float) -> str:
    """A suite of a check that came to nothing: one case, an error with ``why``."""
    return _suite([(_ALL, "undecided", why)], [why], config=config, elapsed_s=elapsed_s)


def _suite(cases: Sequence[tuple[str, Kind, str]], said: Sequence[str], *, config: str, elapsed_s: float) -> str:
    suite = ET.Element(
        "testsuite",
        name=_NAME,
        tests=str(len(cases)),
        failures=str(sum(kind == "slower" for _, kind, _ in cases)),
        errors=str(sum(kind == "undecided" for _, kind, _ in cases)),
        time=f"{elapsed_s:.3f}",
    )
    for name, kind, text in cases:
        case = ET.SubElement(suite, "testcase", classname=_clean(config), name=name)
        if kind != "holds":
            outcome = ET.SubElement(case, "failure" if kind == "slower" else "error", message=_clean(text))
            outcome.text = _clean(text)
    output = ET.SubElement(suite, "system-out")
    output.text = _clean("\n".join(said))
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _cases(finding: Finding) -> list[tuple[str, Kind, str]]:
    """What was promised, whether it holds, and the sentence that tells."""
    judgement, said = finding.pairs.judgement, sentence(finding)
    if judgement is None or finding.pairs.cut:
        return [(_ALL, "undecided", said)]
    found: list[tuple[str, Kind, str]] = []
    if finding.promise.opponent is not None and judgement.relative is not None:
        found.append((f"as good as promised beside {_clean(finding.promise.opponent.name)}", judgement.relative, said))
    if judgement.absolute is not None:
        standing = _STANDINGS[judgement.absolute.standing]
        found.append(("throughput within the promised interval", standing, said))
    goal = finding.promise.goal
    limits = (goal.max_latency_ms, goal.min_throughput_per_s, goal.max_memory_bytes, goal.max_error)
    if judgement.broken or (finding.promise.limits and any(limit is not None for limit in limits)):
        found.append(("limits", "slower" if judgement.broken else "holds", "; ".join(judgement.broken)))
    if finding.soak is not None:
        lost = finding.soak.below(finding.promise.floor)
        found.append(("over the soak", "slower" if lost else "holds", said))
    return found


def _clean(text: str) -> str:
    return _UNPRINTABLE.sub("\ufffd", text)
