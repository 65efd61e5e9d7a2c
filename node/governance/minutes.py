"""Minutes of the assembly behind a decision: where it was, who was present, how they voted, and who signed."""

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Minutes:
    """What was decided, by how many, and who attests it."""

    decision: str
    day: date
    place: str
    """Empty if the minutes do not say it."""
    present: int
    yes: int
    no: int
    """Those who abstained are present, and neither yes nor no."""
    signers: tuple[str, ...]
    line: int = 0

    @property
    def is_adopted(self) -> bool:
        """More were for it than against it."""
        return self.yes > self.no
