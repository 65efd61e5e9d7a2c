"""What is wrong in the files of the community's secrets."""

from node.errors import Finding
from node.keyring import SECRET_BYTES_MIN, community_key_from
from node.secret_file import is_secret

FINDINGS_MAX = 3


def community_key_findings(text: str) -> tuple[Finding, ...]:
    """Of the first secret's file."""
    try:
        community_key_from(text.encode())
    except ValueError:
        message = f"this is not {SECRET_BYTES_MIN} bytes in hexadecimal."
        return (Finding("key", 0, message, "copy the file from another node of the community"),)
    return ()


def later_secret_findings(text: str) -> tuple[Finding, ...]:
    """Of the file with those that were made later: damaged lines are left out when the node starts."""
    damaged = [number for number, line in enumerate(text.splitlines(), start=1) if not is_secret(line)]
    fix = "nothing is to be done: the node takes it from a neighbour again"
    return tuple(Finding("W-secret", number, "This is no secret.", fix) for number in damaged[:FINDINGS_MAX])
