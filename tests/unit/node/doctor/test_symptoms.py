"""What was seen is a value: nothing is looked at while it is judged."""

from node.doctor.symptoms import FileSeen, Symptoms


def test_without_settings_nothing_else_was_seen():
    seen = Symptoms(is_root=False, config_file=FileSeen("/n.toml", "it cannot be read"))
    assert (None, None, (), False) == (seen.config, seen.dns, seen.ports, seen.is_running)
