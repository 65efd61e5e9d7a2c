"""Reading CNML: what guifi.net publishes, with all that is missing and odd in it."""

import io
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.errors import NodeError
from node.export import cnml_reader
from node.export.cnml import cnml, numbers_of
from node.export.cnml_reader import read_cnml
from node.export.formats import FORMATS
from node.export.node_graph import NodeGraph
from tests.fakes.node_graphs import AT, HILL, VALLEY, a_node_graph
from tests.unit.node.export.test_cnml import two_with

ZONE = """<?xml version="1.0"?>
<cnml version="0.1" server_id="1" server_url="http://guifi.net" generated="20160201 0625">
 <class network_description="detail" mapping="y"/>
 <network nodes="4" devices="2" ap="1" client="1" services="0" links="2">
  <zone id="2525" title="Vall de Dalt" created="20050809 1202" zone_nodes="4" box="2.55,41.58,2.59,41.61">&lt;b&gt;
   <node id="15" title="Ermita" lat="41.58" lon="2.58" status="Working" created="20080623 0936">
    <device id="50" mainipv4="10.1.1.1" title="EST1" type="radio" status="Working" created="20130129 1022">
     <radio id="0" device_id="50" mode="ap">
      <interface id="1" type="wLan" mac="00:15:6D:00:00:01" ipv4="10.1.1.1" mask="255.255.255.224">
       <link id="7" linked_device_id="51" linked_node_id="16" linked_interface_id="2" link_status="Working"/>
       <link id="8" linked_device_id="9" linked_node_id="99" linked_interface_id="3" link_type="wds" link_status="Working"/>
       <link id="9" linked_device_id="51" linked_node_id="17" linked_interface_id="2" link_type="wds" link_status="Planned"/>
      </interface>
     </radio>
     <interface id="1" type="Lan" ipv4="not one" mask=""/>
    </device>
   </node>
   <node id="16" title="Riu" lat="" lon="" status="working" created="20080623 0936">
    <device id="51" mainipv4="" title="" type="radio" status="Working" created="">
     <interface id="2" ipv4="10.1.1.2" mask="255.255.255.224">
      <link id="7" linked_device_id="50" linked_node_id="15" linked_interface_id="1" link_status="Working"/>
      <link id="9" linked_device_id="50" linked_node_id="17" linked_interface_id="1" link_status="Working"/>
     </interface>
    </device>
   </node>
   <node id="17" title="" status="Planned"/>
   <node title="without an id">
    <device><interface ipv4="10.9.9.9"><link id="1" linked_node_id="15" link_status="Working"/></interface></device>
   </node>
  </zone>
 </network>
</cnml>
"""


def read(text: str) -> NodeGraph:
    return read_cnml(io.BytesIO(text.encode()), AT)


def test_nodes_and_working_links_between_them_are_read() -> None:
    graph = read(ZONE)
    assert "Vall de Dalt" == graph.community
    assert [("15", "Ermita", True), ("16", "Riu", True), ("17", "17", False)] == [
        (each.node, each.name, each.is_online) for each in graph.nodes
    ]
    assert [["10.1.1.1"], ["10.1.1.2"], []] == [each.addresses for each in graph.nodes]
    # The second end of the link 9 says that it works; it says so of a node that is not its own other end.
    assert [("15", "16"), ("16", "17")] == [(each.source, each.target) for each in graph.links]


@pytest.mark.parametrize("name", FORMATS)
def test_it_can_be_written_in_each_format(name: str) -> None:
    assert "Ermita" in FORMATS[name].write(read(ZONE))
    assert "00:15:6D" not in FORMATS[name].write(read(ZONE)).upper()


def test_what_a_node_writes_is_read_back() -> None:
    graph, ids = two_with(("10.0.0.1",), ("10.0.0.2",)), numbers_of([HILL, VALLEY])
    found = read(cnml(graph))
    assert {(str(ids[each.node]), each.name, each.is_online) for each in graph.nodes} == {
        (each.node, each.name, each.is_online) for each in found.nodes
    }
    assert 1 == len(found.links)
    assert 3 == len(read(cnml(a_node_graph())).nodes)


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("", "download it again"),
        ("<cnml", "download it again"),
        ("<html></html>", "in detail"),
        ('<!DOCTYPE cnml [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><cnml>&b;</cnml>', "download it again"),
        ('<!DOCTYPE cnml [<!ENTITY a SYSTEM "file:///etc/passwd">]><cnml>&a;</cnml>', "download it again"),
    ],
)
def test_a_file_that_is_no_cnml_is_refused_with_a_reason(text: str, fix: str) -> None:
    with pytest.raises(NodeError) as refused:
        read(text)
    assert fix in refused.value.fix


@pytest.mark.parametrize("encoding", ["gbk", "punycode", "hex", "none such"])
def test_a_file_in_an_encoding_that_is_not_read_is_refused(encoding: str) -> None:
    with pytest.raises(NodeError, match="no XML"):
        read(
            f'<?xml version="1.0" encoding="{encoding.replace(" ", "-")}"?>{ZONE.partition("?>")[2] or ZONE}'
        )


def test_a_file_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cnml_reader, "FILE_BYTES_MAX", len(ZONE) - 1)
    with pytest.raises(NodeError, match="larger than"):
        read(ZONE)


@given(st.binary(max_size=400))
def test_no_bytes_raise_anything_else(noise: bytes) -> None:
    whole = ZONE.encode()
    for file in (noise, whole[: len(noise) * 5] + noise, whole.replace(b"10.1.1.1", noise)):
        with suppress(NodeError):
            assert read_cnml(io.BytesIO(file), AT).own == ""
