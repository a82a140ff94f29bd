"""The colours and shapes of the report: one place for the page, the static drawings and the figures.

The colours are those of Okabe and Ito (Color Universal Design, 2008), which people with any kind of colour vision
tell apart; each comes with a shape of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

Role = Literal["recommended", "front", "baseline", "unbeaten", "other"]
Series = Literal[
    "throughput",
    "latency",
    "best",
    "front",
    "candidate",
    "baseline",
    "search",
    "elimination",
    "reference",
    "held up",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """How a kind of point is drawn.

    Attributes:
        label: What it is called in the key.
        colour: Of its line and filling.
        symbol: The shape's name in Plotly.
        path: The shape as an SVG path about the origin.
        size: Its width in pixels.
        hollow: Whether it has no filling.
        thin: Whether its intervals are drawn thin, as where there are many.
        line: Whether the path is an open line.
    """

    label: str
    colour: str
    symbol: str
    path: str
    size: float
    hollow: bool = False
    thin: bool = False
    line: bool = False


_CIRCLE = "M{r},0A{r},{r} 0 1 1 -{r},0A{r},{r} 0 1 1 {r},0Z"
_STAR = "M0,-10 L2.35,-3.24 9.51,-3.09 3.8,1.24 5.88,8.09 0,4 -5.88,8.09 -3.8,1.24 -9.51,-3.09 -2.35,-3.24Z"

ROLES: Mapping[Role, Mark] = {
    "other": Mark(
        label="shown to be beaten by another trial",
        colour="#56B4E9",
        symbol="circle-open",
        path=_CIRCLE.format(r=3.5),
        size=7,
        hollow=True,
        thin=True,
    ),
    "unbeaten": Mark(
        label="may belong to the front: beaten by no more than two joint errors",
        colour="#CC79A7",
        symbol="triangle-up",
        path="M0,-7L6.5,5 -6.5,5Z",
        size=12,
        thin=True,
    ),
    "front": Mark(
        label="on the front: no trial beats it in both",
        colour="#0072B2",
        symbol="circle",
        path=_CIRCLE.format(r=5),
        size=10,
    ),
    "baseline": Mark(label="OpenVINO's own answers", colour="#E69F00", symbol="square", path="M-8,-8H8V8H-8Z", size=16),
    "recommended": Mark(label="recommended", colour="#D55E00", symbol="star", path=_STAR, size=20),
}
BALANCED = Mark(
    label="balanced: the most throughput / latency",
    colour="#009E73",
    symbol="diamond-open",
    path="M0,-12L12,0 0,12 -12,0Z",
    size=24,
    hollow=True,
)
_LINE = "M-9,3H0V-3H9"
_DIAMOND = "M0,-5.5L5.5,0 0,5.5 -5.5,0Z"
SERIES: Mapping[Series, Mark] = {
    "throughput": Mark(label="throughput", colour="#0072B2", symbol="circle", path=_CIRCLE.format(r=4), size=8),
    "latency": Mark(label="latency", colour="#D55E00", symbol="diamond", path=_DIAMOND, size=9),
    "best": Mark(label="best for the goal", colour="#D55E00", symbol="line-ew", path=_LINE, size=8, line=True),
    "front": Mark(label="hypervolume", colour="#0072B2", symbol="line-ew", path=_LINE, size=8, line=True),
    "candidate": Mark(label="candidate", colour="#D55E00", symbol="line-ew", path=_LINE, size=8, line=True),
    "baseline": Mark(label="baseline", colour="#0072B2", symbol="line-ew", path=_LINE, size=8, line=True),
    "search": replace(ROLES["other"], label="in the search"),
    "elimination": Mark(
        label="in the elimination", colour="#0072B2", symbol="circle", path=_CIRCLE.format(r=4), size=8
    ),
    "reference": Mark(label="the reference", colour="#E69F00", symbol="square", path="M-5,-5H5V5H-5Z", size=9),
    "held up": Mark(label="held up by other work", colour="#D55E00", symbol="diamond", path=_DIAMOND, size=9),
}
SIDES = (
    (
        Mark(label="first", colour="#0072B2", symbol="circle", path=_CIRCLE.format(r=4), size=8),
        Mark(label="first", colour="#0072B2", symbol="line-ew", path=_LINE, size=8, line=True),
    ),
    (
        Mark(label="second", colour="#D55E00", symbol="diamond", path=_DIAMOND, size=9),
        Mark(label="second", colour="#D55E00", symbol="line-ew", path=_LINE, size=8, line=True),
    ),
)
"""The dots and the line of each of two studies."""
SHADES = ("#00204D", "#31446B", "#666970", "#958F78", "#CBBA69", "#FFEA46")
"""From the least to the most: Cividis, whose order everybody sees (Nunez et al., PLOS ONE 13, 2018)."""
BATCHES = ("#0072B2", "#E69F00", "#009E73", "#CC79A7")
"""The colours of batches that follow each other."""
LIMIT = "#CC79A7"
ON_BASELINE = "#000000"
"""The colour of the letter on a baseline's mark."""
