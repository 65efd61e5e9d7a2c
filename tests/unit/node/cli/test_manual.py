"""The manual page and the completions have every command, and each program that reads them accepts them."""

import shutil
import subprocess

import pytest

from node.cli.arguments import VERBS
from node.cli.manual import bash_completion, manual_page, zsh_completion

PAGE = manual_page("0.1.0", "2026-11-29")


def completed(*words: str) -> list[str]:
    """What bash proposes for the last of `words`."""
    line = " ".join(f'"{word}"' for word in ("procomu", *words))
    asked = f"COMP_WORDS=({line}); COMP_CWORD={len(words)}; _procomu"
    script = f"{bash_completion()}\n{asked}; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True, timeout=20)
    return done.stdout.split()


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_the_page_has_the_command_with_its_options(verb) -> None:
    section = PAGE.partition(f".SS {verb.name}\n".replace("-", "\\-"))[2].partition(".SS")[0]
    assert section
    for argument in verb.arguments:
        assert argument.name.replace("-", "\\-") in section


def test_no_line_of_the_page_is_a_request_by_mistake() -> None:
    assert set() == {
        line.split()[0]
        for line in PAGE.splitlines()
        if line.startswith((".", "'"))
        and line.split()[0] not in {".TH", ".SH", ".SS", ".TP", ".PP", ".EX", ".EE", ".B", ".BR", ".br"}
    }


def test_bash_completes_verbs_options_and_values(tmp_path) -> None:
    assert ["vouchers"] == completed("vo")
    assert ["issue"] == completed("vouchers", "iss")
    assert ["--config"] == completed("--con")
    assert ["--count"] == completed("--config", "x.toml", "vouchers", "issue", "--cou")
    assert ["--back"] == completed("vouchers", "revoke", "7K3M", "--b")
    assert ["lo"] == completed("init", "--lan", "l")
    assert [] == completed("vouchers", "issue", "--count", "")
    draft = tmp_path / "draft.toml"
    draft.touch()
    assert [str(draft)] == completed("rules", "check", str(tmp_path / "dra"))
    assert [str(draft)] == completed("--config", str(tmp_path / "dra"))


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_bash_completes_every_verb(verb) -> None:
    for number in range(len(verb.words)):
        assert verb.words[number] in completed(*verb.words[:number], "")


def test_shellcheck_and_zsh_accept_the_completions() -> None:
    if shutil.which("shellcheck"):
        subprocess.run(["shellcheck", "-s", "bash", "-"], input=bash_completion(), text=True, check=True)
    if shutil.which("zsh"):
        subprocess.run(["zsh", "-n"], input=zsh_completion(), text=True, check=True)
