"""The formats by name. A new one is one module, and one line here."""

from collections.abc import Mapping

from node.export.cnml import cnml
from node.export.document import GraphFormat, json_format
from node.export.meshviewer import meshviewer
from node.export.netjson import netjson
from node.export.nodelist import nodelist

FORMATS: Mapping[str, GraphFormat] = {
    "netjson": json_format(netjson),
    "meshviewer": json_format(meshviewer),
    "nodelist": json_format(nodelist),
    "cnml": GraphFormat(cnml, "xml", "application/xml"),
}
