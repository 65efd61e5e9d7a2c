"""One setting."""

from node.config.field_types import PORT
from node.config.setting import derived_from, may, must


def test_only_a_setting_without_any_default_must_be_written() -> None:
    kinds = (
        must("node", "port", PORT, "", example="1"),
        may("node", "port", PORT, "2", ""),
        derived_from("node", "port", PORT, "", derived="as the other", example="3"),
    )
    assert [True, False, False] == [each.required for each in kinds]
    assert ["1", "2", "3"] == [each.example for each in kinds]
    assert {"node.port"} == {each.name for each in kinds}
