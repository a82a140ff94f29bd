"""The colours and shapes of the report: one place for the page, the static drawings and the figures.

The colours are those of Okabe and Ito (Color Universal Design, 2008), which people with any kind of colour vision
tell apart; each comes with a shape of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Role = Literal["recommended", "front", "baseline", "other"]
Series = Literal["throughput", "latency"]


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
    """

    label: str
    colour: str
    symbol: str
    path: str
    size: float
    hollow: bool = False


_CIRCLE = "M{r},0A{r},{r} 0 1 1 -{r},0A{r},{r} 0 1 1 {r},0Z"
_STAR = "M0,-10 L2.35,-3.24 9.51,-3.09 3.8,1.24 5.88,8.09 0,4 -5.88,8.09 -3.8,1.24 -9.51,-3.09 -2.35,-3.24Z"

ROLES: Mapping[Role, Mark] = {
    "other": Mark(
        label="beaten by another trial",
        colour="#56B4E9",
        symbol="circle-open",
        path=_CIRCLE.format(r=3.5),
        size=7,
        hollow=True,
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
SERIES: Mapping[Series, Mark] = {
    "throughput": Mark(label="throughput", colour="#0072B2", symbol="circle", path=_CIRCLE.format(r=4), size=8),
    "latency": Mark(label="latency", colour="#D55E00", symbol="diamond", path="M0,-5.5L5.5,0 0,5.5 -5.5,0Z", size=9),
}
LIMIT = "#CC79A7"
ON_BASELINE = "#000000"
"""The colour of the letter on a baseline's mark."""
