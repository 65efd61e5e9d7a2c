"""What a document type definition (XML 1.0, section 3) says, and whether a document is as it says. The standard library
reads one, and does not check it."""

import re
from typing import Any
from xml.etree import ElementTree
from xml.parsers import expat

MODEL = expat.model
QUANTIFIERS = {
    MODEL.XML_CQUANT_NONE: "",
    MODEL.XML_CQUANT_OPT: "?",
    MODEL.XML_CQUANT_REP: "*",
    MODEL.XML_CQUANT_PLUS: "+",
}


class DocumentType:
    """Names of elements, each with the pattern of the names of its children, and its attributes."""

    def __init__(self, root: str, text: str) -> None:
        self.root = root
        self._children: dict[str, re.Pattern[str]] = {}
        self._attributes: dict[str, dict[str, bool]] = {}
        parser = expat.ParserCreate()
        parser.ElementDeclHandler = self._element
        parser.AttlistDeclHandler = self._attribute
        parser.Parse(f"<!DOCTYPE {root} [{text}]><{root}/>", True)

    def faults(self, document: str) -> list[str]:
        """Empty: the document is valid."""
        root = ElementTree.fromstring(document)
        found = [] if root.tag == self.root else [f"the root is {root.tag}"]
        for each in root.iter():
            known = self._attributes.get(each.tag, {})
            missing = [name for name, is_needed in known.items() if is_needed and name not in each.attrib]
            found += [f"{each.tag} lacks {name}" for name in missing]
            found += [f"{each.tag} has {name}" for name in each.attrib if name not in known]
            children = "".join(f"<{child.tag}>" for child in each)
            if each.tag not in self._children or not self._children[each.tag].fullmatch(children):
                found.append(f"{each.tag} contains {children}")
        return found

    def _element(self, name: str, model: Any) -> None:
        self._children[name] = re.compile(_pattern(model))

    def _attribute(self, element: str, name: str, _type: str, _default: str | None, required: int) -> None:
        self._attributes.setdefault(element, {})[name] = bool(required)


def _pattern(model: Any) -> str:
    kind, quantifier, name, children = model
    inner = [_pattern(child) for child in children]
    match kind:
        case MODEL.XML_CTYPE_NAME:
            found = f"<{re.escape(name)}>"
        case MODEL.XML_CTYPE_CHOICE | MODEL.XML_CTYPE_MIXED:
            found = "|".join(inner)
        case _:
            found = "".join(inner)
    return f"(?:{found}){QUANTIFIERS[quantifier]}"
