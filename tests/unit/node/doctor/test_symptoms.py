"""Symptoms are a value: diagnosis reads nothing else."""

from node.doctor.symptoms import FileSeen, Symptoms


def test_without_settings_nothing_else_is_observed():
    seen = Symptoms(is_root=False, config_file=FileSeen("/n.toml", "it cannot be read"))
    assert (None, None, (), False) == (seen.config, seen.dns, seen.ports, seen.is_running)
