"""Versions of a community's files, signed with the keys of tests."""

from mesh.community_changes import shared_file
from mesh.community_state import CommunityState
from mesh.file_version import Decision, FileName, FileVersion, file_fields, version_after
from mesh.signed_statement import FILE_KIND, SignedStatement, make_statement
from tests.fakes.neighbours import key_of

DECISION = Decision("Rosa", "decided in the meeting", "2026-05-04")


def signed(version: FileVersion, *signers: str) -> SignedStatement:
    return make_statement(FILE_KIND, file_fields(version), map(key_of, signers))


def version_of(
    community: str, file: FileName, text: str, *before: FileVersion, decision: Decision = DECISION
) -> FileVersion:
    return version_after(community, file, text, before, decision)


def share(state: CommunityState, file: FileName, text: str, *signers: str) -> SignedStatement:
    """Signs, and takes in what was signed."""
    made = shared_file(state, tuple(map(key_of, signers)), file, text, DECISION)
    assert made is not None
    assert not isinstance(state.add(made), str)
    return made
