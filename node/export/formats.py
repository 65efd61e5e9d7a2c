"""The formats by name. A new one is one module, and one line here."""

from collections.abc import Callable, Mapping
from typing import Any

from node.export.meshviewer import meshviewer
from node.export.netjson import netjson
from node.export.node_graph import NodeGraph
from node.export.nodelist import nodelist

FORMATS: Mapping[str, Callable[[NodeGraph], Mapping[str, Any]]] = {
    "netjson": netjson,
    "meshviewer": meshviewer,
    "nodelist": nodelist,
}
