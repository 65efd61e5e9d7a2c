"""Parsing of nft's sets of foreign servers; tests/kernel detects real ones."""

from node.enforcement.foreign_servers import ForeignServer, listed
from node.units import MacAddress

HEAD = '{"nftables": [{"metainfo": {"version": "1.1.3"}}, {"set": {"family": "inet", "name": "foreign_dhcp"'


def test_an_empty_set_and_a_full_one_are_read() -> None:
    assert [] == list(listed("dhcp", HEAD + "}}]}"))
    element = '{"elem": {"val": {"concat": ["02:77:00:00:00:66", "192.168.1.1"]}, "expires": 1795}}'
    (found,) = listed("dhcp", f'{HEAD}, "elem": [{element}]}}}}]}}')
    assert ForeignServer("dhcp", MacAddress("02:77:00:00:00:66"), "192.168.1.1", 5) == found
