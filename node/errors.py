"""What can be wrong, said for the person who can mend it.

Three kinds: a *refusal* is a return value with a reason, *trouble* is a NodeError, a *bug* is an assert or rises.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong in a file that a person wrote: where, what, and what to write instead."""

    code: str
    """Stable name, as ``E03`` or ``config-unknown``; E stops the file, W asks for a second look."""
    line: int
    """1 is the first line; 0 when the finding is about the file as a whole."""
    message: str
    mend: str

    @property
    def is_error(self) -> bool:
        return not self.code.startswith("W")

    def __str__(self) -> str:
        where = f"line {self.line}: " if self.line else ""
        return f"{where}{self.code}: {self.message} Fix: {self.mend}"


class NodeError(Exception):
    """Trouble: what failed, and what to do about it."""

    def __init__(self, message: str, mend: str) -> None:
        super().__init__(f"{message} ({mend})")
        self.message = message
        self.mend = mend


class Fatal(NodeError):
    """Trouble that the node cannot run with; the supervisor stops everything."""


class KernelRefused(NodeError):
    """nftables or tc did not take a plan; the plan before it is still in force."""


class StorageTrouble(NodeError):
    """The data folder cannot be written or read now; what is in memory is kept."""


class InvalidFile(NodeError):
    """A file that a person wrote has errors; all of them are in `findings`."""

    def __init__(self, name: str, findings: tuple[Finding, ...]) -> None:
        lines = "\n".join(f"  {finding}" for finding in findings)
        super().__init__(f"{name} cannot be used:\n{lines}\n", "correct the lines above; nothing was changed")
        self.findings = findings
