"""Errors and findings: each says what is wrong and how to fix it.

A refusal is a return value with a reason; a failure at run time is a NodeError; a bug is an
assertion or any other exception.
"""

from dataclasses import dataclass

from node.translator import LazyText, gettext_lazy


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem in a file that a person wrote: where it is, what is wrong, and what to write instead."""

    code: str
    """Stable name, as ``E03`` or ``config-unknown``. A code that starts with W is a warning; all others are
    errors, and the file is rejected."""
    line: int
    """1 is the first line; 0 when the finding is about the file as a whole."""
    message: str
    """A sentence, as a `LazyText` where other languages have it."""
    fix: str
    """What to do, without a full stop."""
    addition: str = ""
    """A line of text for the table at `line` that puts this right, if that is what was meant; empty for none."""

    @property
    def is_error(self) -> bool:
        return not self.code.startswith("W")

    @property
    def text(self) -> LazyText:
        """All of it, for a list of warnings."""
        fields = {"code": self.code, "finding": self.message, "fix": self.fix}
        if not self.line:
            return gettext_lazy("{code}: {finding} Fix: {fix}", **fields)
        return gettext_lazy("line {line}: {code}: {finding} Fix: {fix}", line=self.line, **fields)

    def __str__(self) -> str:
        return str(self.text)


class InvalidValue(ValueError):
    """A text that a person wrote and that cannot be read as a value: what is wrong with it, and what to do instead. Both
    are parts of sentences, as lazy texts; without a fix the message says what is wanted."""

    def __init__(self, message: LazyText, fix: LazyText | None = None, *, wanted: str = "") -> None:
        """`wanted`: what to write instead, in place of a fix."""
        if wanted:
            fix = gettext_lazy("write {wanted}", wanted=wanted)
        super().__init__(f"{message}; {fix}" if fix else str(message))
        self.message, self.fix = message, fix


class NodeError(Exception):
    """A failure at run time: what failed, and what to do about it."""

    def __init__(self, message: str, fix: str) -> None:
        super().__init__(f"{message} ({fix})")
        self.message = message
        self.fix = fix


def forget_frames(error: BaseException | None) -> None:
    """Lets go of what the functions that raised it worked with. asyncio's frames of a failed TLS handshake refer to the
    error, and the error to them: 80 kB until a garbage collection finds that."""
    while error is not None:
        error.__traceback__ = None
        error = error.__cause__ or error.__context__


class Fatal(NodeError):
    """The node cannot run at all; the supervisor stops every part."""


class KernelRefused(NodeError):
    """nftables or tc rejected a plan; the plan before it is still in force."""


class StorageTrouble(NodeError):
    """The data folder cannot be written or read now; what is in memory is kept."""


class StorageSlow(StorageTrouble):
    """The data folder has not answered in time: what was to be written may be written later."""


class InvalidFile(NodeError):
    """A file that a person wrote has errors; all of them are in `findings`."""

    def __init__(self, name: str, findings: tuple[Finding, ...]) -> None:
        lines = "\n".join(f"  {finding}" for finding in findings)
        super().__init__(f"{name} cannot be used:\n{lines}\n", "correct the lines above; nothing was changed")
        self.findings = findings


CONFLICT = "conflict"
"""Code of the finding: another admin has saved meanwhile."""
UNSTORED = "unstored"
"""Code of the finding: done, but not stored yet."""
