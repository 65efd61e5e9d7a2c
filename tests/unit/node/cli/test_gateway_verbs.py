"""The commands about gateways are described as they are carried out."""

from node.cli.gateway_commands import GATEWAY_COMMANDS
from node.cli.gateway_verbs import GATEWAY_VERBS


def test_each_command_is_described_once_with_an_example():
    assert [each.name for each in GATEWAY_VERBS] == list(GATEWAY_COMMANDS)
    assert all(each.example.startswith(f"procomu {each.name}") for each in GATEWAY_VERBS)
