"""The formats by name. A new one is one module, and one line here."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from node.export.meshviewer import meshviewer
from node.export.netjson import netjson
from node.export.node_graph import NodeGraph
from node.export.nodelist import nodelist


@dataclass(frozen=True, slots=True)
class GraphFormat:
    """One format. `write` returns the text of the document."""

    write: Callable[[NodeGraph], str]
    suffix: str
    media_type: str


def _json(made: Callable[[NodeGraph], Mapping[str, Any]]) -> GraphFormat:
    """The format of documents that `made` gives as JSON objects."""
    return GraphFormat(
        lambda graph: json.dumps(made(graph), ensure_ascii=False, indent=1), "json", "application/json"
    )


def _cnml(graph: NodeGraph) -> str:
    from node.export.cnml import cnml  # noqa: PLC0415 - the XML library takes 0.4 MB, and few ask for this format

    return cnml(graph)


FORMATS: Mapping[str, GraphFormat] = {
    "netjson": _json(netjson),
    "meshviewer": _json(meshviewer),
    "nodelist": _json(nodelist),
    "cnml": GraphFormat(_cnml, "xml", "application/xml"),
}
