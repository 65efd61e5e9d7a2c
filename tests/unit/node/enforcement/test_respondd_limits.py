"""Limits of questions of respondd on the LAN; tests/kernel/test_respondd.py sends real ones."""

from dataclasses import replace

from node.enforcement import nft, respondd_limits
from tests.unit.node.enforcement.test_nft import FIREWALL, FORM


def test_every_question_is_counted_before_any_is_accepted() -> None:
    *limits, accepting = respondd_limits.rules()
    assert all(rule.endswith(" drop") for rule in limits)
    assert accepting.endswith("udp dport 1001 accept")


def test_the_port_is_closed_unless_the_node_answers() -> None:
    assert "1001" not in nft.rules(FORM)
    assert "udp dport 1001" in nft.rules(replace(FORM, firewall=replace(FIREWALL, answers_respondd=True)))
