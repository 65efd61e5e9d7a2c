"""The commands about events and alerts are described as they are carried out."""

from node.cli.alert_commands import ALERT_COMMANDS
from node.cli.event_commands import EVENT_COMMANDS
from node.cli.event_verbs import EVENT_VERBS


def test_each_command_is_described_once_with_an_example():
    assert [each.name for each in EVENT_VERBS] == [*EVENT_COMMANDS, *ALERT_COMMANDS]
    assert all(each.example.startswith(f"procomu {each.name}") for each in EVENT_VERBS)
