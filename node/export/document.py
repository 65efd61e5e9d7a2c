"""A document about the network in one format, as other programs read it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from node.export.node_graph import NodeGraph


@dataclass(frozen=True, slots=True)
class GraphFormat:
    """One format. `write` returns the text of the document."""

    write: Callable[[NodeGraph], str]
    suffix: str
    media_type: str


def json_format(made: Callable[[NodeGraph], Mapping[str, Any]]) -> GraphFormat:
    """The format of documents that `made` gives as JSON objects."""
    return GraphFormat(
        lambda graph: json.dumps(made(graph), ensure_ascii=False, indent=1), "json", "application/json"
    )
