"""JSON from strangers: bounded in depth before the parser, which recurses on the machine's stack, sees it."""

import json
import re
from typing import Any

MAX_DEPTH = 8
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]')


def loads(text: str) -> Any:
    """The value of a JSON text; ValueError where it is none, nests too deep, or has integers beyond Python's limit."""
    depth = 0
    for match in _STRING_OR_BRACKET.finditer(text):
        token = match.group()
        depth += (token in "[{") - (token in "]}")
        if depth > MAX_DEPTH:
            raise ValueError(f"nested deeper than {MAX_DEPTH} levels")
    return json.loads(text)
