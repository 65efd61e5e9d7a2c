"""Findings about the files of the community's secrets."""

import pytest

from node.doctor.secret_facts import FINDINGS_MAX, community_key_findings, later_secret_findings

GOOD = "ab" * 32


@pytest.mark.parametrize("text", [GOOD, f"{GOOD}\n", "cd" * 64])
def test_a_good_key_has_no_finding(text: str) -> None:
    assert () == community_key_findings(text)


@pytest.mark.parametrize("text", ["", "ab", "no key", GOOD[:-2]])
def test_a_key_that_cannot_be_used_is_an_error_with_its_fix(text: str) -> None:
    (finding,) = community_key_findings(text)
    assert (True, True) == (finding.is_error, "copy the file" in finding.fix)


def test_damaged_later_secrets_are_warnings_with_their_lines() -> None:
    assert () == later_secret_findings(f"{GOOD}\n{GOOD}\n")
    found = later_secret_findings("\n".join([GOOD, "x", GOOD, GOOD[:-1]]))
    assert [(2, False), (4, False)] == [(each.line, each.is_error) for each in found]
    assert FINDINGS_MAX == len(later_secret_findings("x\n" * 50))
