from dataclasses import replace
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from ovtune.checking import Finding
from ovtune.goal import Goal
from ovtune.junit import junit, unchecked
from tests.promised import promise
from tests.test_finding import found


def suite(finding: Finding, config: str = "best.json") -> ET.Element:
    """The suite that is written, parsed."""
    root = ET.fromstring(junit(finding, config=config, elapsed_s=1.5))  # noqa: S314 - written a moment ago
    (only,) = root
    assert (root.tag, only.tag, only.get("time")) == ("testsuites", "testsuite", "1.500")
    assert int(only.get("tests", 0)) == len(only.findall("testcase"))
    return only


def counts(finding: Finding) -> tuple[int, int]:
    """Its failures and errors, by attribute and by element alike."""
    told = suite(finding)
    cases = told.findall("testcase")
    by_element = tuple(sum(case.find(kind) is not None for case in cases) for kind in ("failure", "error"))
    assert by_element == (int(told.get("failures", 0)), int(told.get("errors", 0)))
    return by_element[0], by_element[1]


def test_what_holds() -> None:
    """A case for each promise, and none of them fails."""
    told = suite(found())
    assert told.findall("testcase")[0].get("name") == "as good as promised beside the baseline"
    assert counts(found()) == (0, 0)


def test_what_is_slower_fails() -> None:
    """A config that lost against its opponent is a failure, with the sentence that says so."""
    finding = found(rate=90.0)
    assert finding.kind == "slower"
    failure = suite(finding).find("testcase/failure")
    assert failure is not None
    assert "times as good as the baseline" in failure.get("message", "")
    assert counts(finding)[0] >= 1


@pytest.mark.parametrize("fields", [{"cut": True}, {"count": 0}])
def test_what_is_not_decided_is_an_error(fields: dict[str, Any]) -> None:
    """Where nothing can be told that is an error: neither passed nor failed."""
    assert counts(found(**fields)) == (0, 1)


def test_broken_limits() -> None:
    """A limit that is broken is a case of its own."""
    goal = Goal(latency="p50", prefer="throughput", max_latency_ms=1e-3)
    finding = found(asked=promise(goal=goal))
    names = [case.get("name") for case in suite(finding).findall("testcase") if case.find("failure") is not None]
    assert names == ["limits"]


def test_limits_are_a_case_where_there_are_any() -> None:
    """A goal without limits promises none."""

    def names(goal: Goal) -> set[str | None]:
        return {case.get("name") for case in suite(found(asked=promise(goal=goal))).findall("testcase")}

    assert "limits" not in names(Goal(latency="p50", prefer="throughput"))
    assert "limits" in names(Goal(latency="p50", prefer="throughput", max_latency_ms=1e6))


def test_a_check_that_came_to_nothing() -> None:
    """It is one case, and an error that tells why."""
    (told,) = ET.fromstring(unchecked("model \x00 is gone", config="best.json", elapsed_s=0.0))  # noqa: S314
    assert (told.get("tests"), told.get("errors"), told.get("failures")) == ("1", "1", "0")
    error = told.find("testcase/error")
    assert error is not None
    assert error.get("message") == "model \ufffd is gone"


def test_hostile_texts() -> None:
    """Names and differences are text and nothing else, and what XML cannot hold is left out."""
    hostile = 'a"b<c>&\x00\x1b\ud800]]></failure>\ufffe'
    finding = replace(found(), differences=(hostile,))
    told = suite(finding, hostile)
    case = told.find("testcase")
    assert case is not None
    assert case.get("classname", "").startswith('a"b<c>&')
    assert "]]></failure>" in (told.findtext("system-out") or "")
