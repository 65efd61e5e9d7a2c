"""The commands about gateways."""

from node.cli import gateway_commands
from node.cli.arguments import make_parser
from node.cli.entry import commands_beside
from node.cli.terminal import Terminal

PLAIN = Terminal(coloured=False)
ROW = {
    "gateway": "0a1b2c3d", "kind": "wifidog", "state": "accepted", "name": "the\x1b[31m bakery", "called": "X1",
    "address": "10.1.2.3", "heard_s": 7, "trouble": "silent", "detail": "", "people": 3,
    "used_bytes": {"down": 1_000_000, "up": 500_000}, "ignored_reports": 0,
}  # fmt: skip


def test_the_list_says_what_each_gateway_does_and_nothing_of_a_router_changes_the_terminal():
    lines = gateway_commands._list({"listens": True, "gateways": [ROW]}, PLAIN)
    assert "1.5 MB" in lines[1]
    assert "silent" in lines[1]
    assert "\x1b" not in "".join(lines)


def test_a_node_that_does_not_listen_says_so():
    lines = gateway_commands._list({"listens": False, "gateways": []}, PLAIN)
    assert "set listen" in lines[0]
    assert "There is no gateway." == lines[-1]


def test_gateways_of_other_nodes_and_the_second_node_are_shown():
    node = "abcdefghijklmnop" + "q" * 36
    told = {
        "gateway": "1a1b2c3d",
        "node": node,
        "kind": "wifidog",
        "name": "the\x1b[31m library",
        "called": "X2",
    }
    told |= {"people": 4, "used_bytes": {"down": 2_000_000, "up": 0}}
    answer = {
        "listens": True,
        "gateways": [{**ROW, "people": None}],
        "told": [told],
        "second": "berg.example:2080",
    }
    lines = gateway_commands._list({**answer, "second_node": node}, PLAIN)
    assert any("of abcd-efgh-ijkl-mnop" in each for each in lines)
    assert "berg.example:2080" in lines[-1]
    assert "\x1b" not in "".join(lines)
    assert "no node" in gateway_commands._list({**answer, "second_node": ""}, PLAIN)[-1]
    candidates = {"second_node": "", "second_candidates": [node]}
    assert f'second_node = "{node}"' in gateway_commands._list({**answer, **candidates}, PLAIN)[-1]


def test_a_configuration_is_printed_with_a_comment():
    answer = {"gateway": "0a1b2c3d", "name": "the bakery", "configuration": "AuthServer {\n}\n"}
    assert ["# 0a1b2c3d: the bakery", "AuthServer {", "}"] == gateway_commands._configuration(answer, PLAIN)


def test_each_command_is_parsed():
    parser = make_parser(str)
    for words in (
        ["gateways", "list", "--json"],
        ["gateways", "add", "the bakery", "--kind", "apfree"],
        ["gateways", "accept", "0a1b2c3d", "the bakery"],
        ["gateways", "refuse", "0a1b2c3d"],
        ["gateways", "remove", "0a1b2c3d"],
        ["gateways", "config", "0a1b2c3d"],
    ):
        verb = vars(parser.parse_args(words))["verb"]
        assert verb in commands_beside(verb)
