"""What a search would try, before anything is measured: the parameters of its space, how many configs, and the plan."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ovtune.budget import Budget
from ovtune.config import Scalar
from ovtune.device_string import is_list, kind_of
from ovtune.goal import Goal
from ovtune.lead import Lead
from ovtune.space import Space
from ovtune.study import Setup
from ovtune.unit import show_duration
from ovtune.wanted import UNSET
from ovtune.workload import describe

_MEANINGS: Mapping[str, str] = {
    "nireq": "requests in flight",
    "batch_size": "items",
    "auto_batch_size": "requests",
    "precision": "weights",
    "AUTO_BATCH_TIMEOUT": "ms",
}


def table(setup: Setup, goal: Goal, budget: Budget) -> Group:
    """What a search would try, and how long it may take."""
    confirmation = show_duration(budget.confirmation_s(setup.workload))
    timed = f", no new one after {show_duration(budget.timeout_s)}" if budget.timeout_s is not None else ""
    timed += f", at most {budget.patience} in a row without gain" if budget.patience is not None else ""
    alone = ", of OpenVINO's own answers and that front alone" if budget.only_front else ""
    held = f", {len(setup.wanted.only)} held (see below)" if setup.wanted.only else ""
    about = _grid(
        ("model", setup.model.path),
        *((f"input {i.name}", f"{i.element_type} {list(i.shape)}") for i in setup.model.inputs),
        ("load", describe(setup.workload)),
        ("goal", f"{goal.latency} latency against {goal.against}, prefer {goal.prefer}"),
        ("plan", f"{budget.trials} trials{alone}{timed}, then up to {confirmation} to confirm"),
        ("space", f"{setup.wanted.size}{held}: {setup.space.size:,} distinct configs that make sense"),
    )
    values = _grid(*_parameters(setup.space), *_held(setup))
    outside = _outside(setup)
    first = _grid(
        *(("baseline", f"{baseline.name} (nireq {baseline.config.nireq})") for baseline in setup.baselines),
        *([("", f"{outside} of these not in the space: measured, and not recommended")] if outside else []),
        *_lead(setup),
        *(("not searched", f"{device}: {why}") for device, why in setup.refused.items()),
        *(("caveat", caveat.text) for caveat in setup.model.caveats),
    )
    return Group(about, Padding(values, (0, 0, 0, 2), expand=False), first)


def document(setup: Setup, goal: Goal, budget: Budget) -> dict[str, Any]:
    """The same as JSON; times in seconds."""
    return {
        "model": setup.model.path,
        "load": describe(setup.workload),
        "goal": {"latency": goal.latency, "against": goal.against, "prefer": goal.prefer},
        "trials": budget.trials,
        "patience": budget.patience,
        "only_front": budget.only_front,
        "confirm_s": budget.confirmation_s(setup.workload),
        "space": {"size": setup.wanted.size, "only": setup.wanted.only},
        "configs": setup.space.size,
        "dimensions": setup.space.dimensions,
        "by_device": {name: setup.space.by_device[name] for name in setup.space.dimensions if name != "device"},
        "baselines": [
            {"name": b.name, "device": b.config.device, "properties": b.config.properties, "nireq": b.config.nireq}
            for b in setup.baselines
        ],
        "like": _followed(setup.lead) if setup.lead is not None else None,
        "not_searched": dict(setup.refused),
        "caveats": [caveat.text for caveat in setup.model.caveats],
    }


def _lead(setup: Setup) -> Iterable[tuple[str, str]]:
    """What is taken of the front of another study, and what is not."""
    if setup.lead is not None:
        yield "begins with", setup.lead.words
        for member in setup.lead.members:
            yield "" if member.config is not None else "left out", member.said


def _followed(lead: Lead) -> dict[str, Any]:
    """The same as JSON: each config as it is in the other study and as it is here, null where it was left out."""
    members = [
        {"words": m.words, "config": json.loads(m.config.key) if m.config is not None else None, "note": m.note}
        for m in lead.members
    ]
    return {"study": lead.study, "model": lead.model, "front": members}


def _grid(*rows: tuple[str, str]) -> Table:
    grid = Table.grid(padding=(0, 2))
    for name, text in rows:
        grid.add_row(Text(name, style="bold"), Text(text, overflow="fold"))
    return grid


def _parameters(space: Space) -> Iterable[tuple[str, str]]:
    """Each parameter that varies with its values: on one line, or on one for each group of devices that share them."""
    by_device = space.by_device
    strings = {string for devices in by_device.values() for string in devices}
    for name, values in space.dimensions.items():
        meaning = _MEANINGS.get(name)
        label = f"{name} ({meaning})" if meaning else name
        groups: dict[tuple[Scalar, ...], list[str]] = {}
        for device, own in by_device.get(name, {}).items():
            groups.setdefault(own, []).append(device)
        varied = {own: devices for own, devices in groups.items() if len(own) > 1}
        if name == "device" or "." in name or (sum(map(len, varied.values())) in {0, len(strings)} and len(groups) < 2):
            yield label, _listed(values)
            continue
        for own, devices in (varied or groups).items():
            yield label, f"{_listed(own)} on {_together(devices, strings)}"
            label = ""
    if any(UNSET in values for values in space.dimensions.values()):
        yield "", f"{UNSET}: left to the runtime"


def _together(devices: Collection[str], strings: Collection[str]) -> str:
    """Device strings, all that AUTO, or HETERO, can be asked for by that name alone."""
    said = [device for device in devices if not is_list(device)]
    for kind in dict.fromkeys(kind_of(device) for device in devices if is_list(device)):
        mine = [device for device in devices if kind_of(device) == kind]
        every = sum(kind_of(string) == kind for string in strings)
        said += [kind] if len(mine) == every > 1 else mine
    return ", ".join(said)


def _held(setup: Setup) -> Iterable[tuple[str, str]]:
    """What is held to one value does not vary, and is said all the same; so is a value that no config can have."""
    had = setup.space.values
    for name, values in setup.wanted.only.items():
        possible = [value for value in values if value in had.get(name, set()) | {UNSET}]
        never = [value for value in values if value not in possible]
        if name not in setup.space.dimensions and possible:
            yield name, f"{_listed(possible)} (held)"
        if never:
            yield name, f"{_listed(never)}: no config that makes sense can have it"


def _listed(values: Sequence[Scalar]) -> str:
    return ", ".join(str(value).lower() if isinstance(value, bool) else str(value) for value in values)


def _outside(setup: Setup) -> int:
    """How many of OpenVINO's own answers the space does not hold."""
    held = {config.key for config in setup.space.configs}
    return sum(baseline.config.key not in held for baseline in setup.baselines)
