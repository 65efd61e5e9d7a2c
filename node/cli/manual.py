"""Manual page and shell completions, generated from the list of commands. `deploy/package` writes them into what it
installs; the running node does not need this module."""

import re
from collections.abc import Iterable

from node.cli.arguments import ABOUT, CONFIG_DEFAULT, CONFIG_HELP, EXITS, VERBS
from node.cli.verb import Argument, Verb

_CONFIG = Argument("--config", CONFIG_HELP, "FILE")
_HELP = Argument("--help", "show what the command does, its options and an example")
_VERSION = Argument("--version", "show the version and the commit that it was built from")
_FILES = (
    (CONFIG_DEFAULT, "The node's settings."),
    ("/etc/procomu/rules.toml", "The community's rules."),
    ("/etc/procomu/members.toml", "Members, their groups and devices."),
    ("/etc/procomu/community.key", "The first secret of the community, the same on all its nodes."),
    ("/var/lib/procomu/community.secrets", "Secrets of the community that were made later."),
    ("/var/lib/procomu", "The node's database and its own key."),
    ("/usr/share/doc/procomu", "The settings, the rule language, certificates, and examples."),
)
_VALUES = {
    "FILE": "compgen -f",
    "FILE.html": "compgen -f",
    "FILE.svg": "compgen -f",
    "FOLDER": "compgen -d",
    "INTERFACE": 'compgen -W "$(ls /sys/class/net)"',
}
"""Placeholder of a value: the bash command that proposes values. Nothing is proposed for others."""


def manual_page(version: str, date: str) -> str:
    """The page procomu(1) in the man macros; `date` is that of the version, as YYYY-MM-DD."""
    lines = [
        f'.TH PROCOMU 1 {date} "procomu {_roff(version)}" "User Commands"',
        ".SH NAME",
        "procomu \\- node of a community network",
        ".SH SYNOPSIS",
        ".B procomu",
        f"[{_bold('--config')} {_italic('FILE')}] {_italic('VERB')} [{_italic('OPTION')}...]",
        ".br",
        ".B procomu",
        _bold("--version"),
        ".SH DESCRIPTION",
        _roff(ABOUT),
        f"{_bold('procomu init')} writes a node's first files, and {_bold('systemctl start procomu')} starts it.",
        ".SH COMMANDS",
        *(line for verb in VERBS for line in _section(verb)),
        ".SH OPTIONS",
        "Every command takes these.",
        *_listed((_argument(each), each.help) for each in (_CONFIG, _HELP)),
        *_listed([(_bold(_VERSION.name), _VERSION.help)]),
        ".SH EXIT STATUS",
        *_listed((str(code), meaning) for code, meaning in EXITS.items()),
        ".SH FILES",
        *_listed((_italic(name), meaning) for name, meaning in _FILES),
        ".SH SEE ALSO",
        ".BR nft (8),",
        ".BR tc (8),",
        ".BR dnsmasq (8),",
        ".BR systemd.service (5)",
    ]
    return "\n".join(lines) + "\n"


def bash_completion() -> str:
    """A file of bash-completion: verbs, options, and values where they are files, folders or interfaces."""
    seconds: dict[str, list[str]] = {}
    for verb in VERBS:
        seconds.setdefault(verb.words[0], []).extend(verb.words[1:])
    values: dict[str, set[str]] = {}
    for option in (_CONFIG, *(each for verb in VERBS for each in verb.arguments if each.metavar)):
        values.setdefault(_VALUES.get(option.metavar, ""), set()).add(option.name)
    lines = [
        "# Completion of procomu for bash, generated from its list of commands.",
        "_procomu() {",
        '    local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} verb="" word number',
        "    for ((number = 1; number < COMP_CWORD; number++)); do",
        "        word=${COMP_WORDS[number]}",
        '        case "$word" in',
        "        --config) ((number++)) ;;",
        "        -*) ;;",
        '        *) verb="${verb:+$verb }$word" ;;',
        "        esac",
        "    done",
        "    COMPREPLY=()",
        '    case "$before" in',
        *(f"    {'|'.join(sorted(names))}) {_proposed(by)}return ;;" for by, names in values.items()),
        "    esac",
        '    case "$verb" in',
        f'    "") word="{" ".join(seconds)} --config --help --version" ;;',
        *(f'    "{first}") word="{" ".join(them)} --help" ;;' for first, them in seconds.items() if them),
        *(f'    "{verb.name}"*) word="{_options(verb)}" ;;' for verb in VERBS),
        '    *) word="" ;;',
        "    esac",
        '    mapfile -t COMPREPLY < <(compgen -W "$word" -- "$current")',
        *_positional_files(),
        "}",
        "complete -F _procomu procomu",
    ]
    return "\n".join(lines) + "\n"


def zsh_completion() -> str:
    """A completion function of zsh, which uses that of bash."""
    own = bash_completion().partition("\n")[2]
    return f"#compdef procomu\nautoload -U +X bashcompinit && bashcompinit\n{own}"


def _positional_files() -> Iterable[str]:
    named = [verb.name for verb in VERBS if any(each.name == "FILE" for each in verb.arguments)]
    for name in named:
        yield f'    [ "$verb" != "{name}" ] || [[ $current == -* ]] || {_proposed("compgen -f")}'.removesuffix(
            "; "
        )


def _proposed(by: str) -> str:
    return f'mapfile -t COMPREPLY < <({by} -- "$current"); ' if by else ""


def _options(verb: Verb) -> str:
    return " ".join(each.name for each in (*verb.arguments, _CONFIG, _HELP) if each.name.startswith("--"))


def _section(verb: Verb) -> Iterable[str]:
    yield f".SS {_roff(verb.name)}"
    yield _roff(verb.help)
    yield from _listed((_argument(each), each.help) for each in verb.arguments)
    yield from (".PP", ".EX", f"    {_roff(verb.example)}", ".EE")


def _listed(items: Iterable[tuple[str, str]]) -> Iterable[str]:
    for term, meaning in items:
        yield from (".TP", term, _roff(meaning))


def _argument(argument: Argument) -> str:
    if not argument.name.startswith("--"):
        return _italic(argument.name)
    return f"{_bold(argument.name)} {_italic(argument.metavar)}" if argument.metavar else _bold(argument.name)


def _bold(text: str) -> str:
    return f"\\fB{_roff(text)}\\fP"


def _italic(text: str) -> str:
    return f"\\fI{_roff(text)}\\fP"


def _roff(text: str) -> str:
    """Escaped for roff(7): hyphens that people copy, and characters that begin a request."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace('"', "\\(dq")
    return re.sub(r"^([.'])", r"\\&\1", escaped)
