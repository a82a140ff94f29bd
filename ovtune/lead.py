"""What a search follows first: the front of another study, as far as it fits."""

from collections.abc import Iterable
from dataclasses import dataclass

from ovtune.config import Config


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One config of the other study's front.

    Attributes:
        words: What it is there.
        config: What it comes to here; None where it was left out.
        note: Why it was left out, or what differs from what it is there; "" where nothing does.
    """

    words: str
    config: Config | None
    note: str = ""

    @property
    def said(self) -> str:
        """What it is there, and the note on it."""
        return f"{self.words} ({self.note})" if self.note else self.words


@dataclass(frozen=True, slots=True, kw_only=True)
class Lead:
    """The front of another study that a search begins with.

    Attributes:
        study: The other study's name.
        model: Its model's path.
        members: Its recommended config, then the others of its front, the best for its own goal first.
    """

    study: str
    model: str
    members: tuple[Member, ...]

    @property
    def configs(self) -> tuple[Config, ...]:
        """The configs that are taken, in order, each once."""
        return tuple(dict.fromkeys(m.config for m in self.members if m.config is not None))

    @property
    def left_out(self) -> tuple[Member, ...]:
        """Those that do not fit here."""
        return tuple(m for m in self.members if m.config is None)

    @property
    def words(self) -> str:
        """How much of the front was taken, in a few words."""
        taken = len(self.members) - len(self.left_out)
        return f"{taken} of {len(self.members)} configs of the front of study {self.study} ({self.model})"

    @property
    def details(self) -> str:
        """The same, and for each config that was changed or left out why."""
        changed = [m.said for m in self.members if m.config is not None and m.note]
        parts = [("changed", changed), ("left out", [m.said for m in self.left_out])]
        return "; ".join((self.words, *(f"{name}: {'; '.join(said)}" for name, said in parts if said)))


def shortened(texts: Iterable[str], most: int) -> str:
    """The first ``most`` of some texts in one, and how many more there are."""
    listed = list(texts)
    more = [f"and {len(listed) - most} more"] if len(listed) > most else []
    return "; ".join((*listed[:most], *more))
