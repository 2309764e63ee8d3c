"""The tutorial on risk modules is a program, and what it asserts holds."""

import re
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent.parent / "docs"


def test_the_tutorial_runs() -> None:
    text = (DOCS / "risk_tutorial.md").read_text()
    blocks = re.findall(r"^```python\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)
    assert len(blocks) == text.count("```") // 2 >= 10
    names: dict[str, Any] = {}
    for number, block in enumerate(blocks):
        exec(compile(block, f"risk_tutorial.md, block {number}", "exec"), names)
    assert names["exact"].equity > 0 and names["kinds"].count("trade") == 3
