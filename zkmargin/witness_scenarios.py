"""The witness of portfolios: the block of the scenarios' table that judges a leg."""

from collections.abc import Sequence

from circuits.margin.cell import Cell
from circuits.margin.modules import taken
from circuits.margin.portfolio import SCENARIOS_MAX
from zkmargin.recorder import Recorder, Values
from zkmargin.state import Group, Leg

_ZEROS = (
    "position", "change", "turn", "start", "time", "group", "tick", "entry", "market", "size", "short", "changed",
    "last", "worst", "hit", "found", "before",
    *(f"{name}_{i}" for name in ("vector", "sum") for i in range(SCENARIOS_MAX + 1)),
)  # fmt: skip
UNUSED_SCAN: Values = dict.fromkeys(_ZEROS, 0)


def scan(group: Group, leg: Leg, place: int, tick: int, changes: bool, recorder: Recorder) -> tuple[int, int]:
    """Appends the block of a leg to the record; what the worst scenario takes before and after it.

    changes: whether the leg's kind changes positions.
    """
    block = _Block(recorder, {"time": place + 1, "group": group.head, "tick": tick})
    others = [cell for address, cell in enumerate(group.cells, group.head) if address not in (group.head, leg.address)]
    for number, cell in enumerate([*others, leg.before]):
        block.add("position", cell.market, cell.position, max(-cell.position, 0), int(number == 0))
    before = block.turn()
    if changes:
        short = max(-leg.after.position, 0) - max(-leg.before.position, 0)
        block.add("change", leg.before.market, leg.after.position - leg.before.position, short)
        after = block.turn()
    else:
        after = before
    recorder.scans[-1]["last"] = 1
    return before, after


def hold(head: int, members: Sequence[Cell], tick: int, recorder: Recorder) -> int:
    """Appends the block of a portfolio that nothing changes, at time 0; what its worst scenario takes."""
    block = _Block(recorder, {"time": 0, "group": head, "tick": tick})
    for number, cell in enumerate(members):
        block.add("position", cell.market, cell.position, max(-cell.position, 0), int(number == 0))
    worst = block.turn()
    recorder.scans[-1]["last"] = 1
    return worst


class _Block:
    """The rows of a block, with the register as it stands."""

    def __init__(self, recorder: Recorder, same: Values) -> None:
        self.recorder, self.same, self.sums = recorder, same, [0]
        self.before, self.changed = 0, 0

    def add(self, kind: str, market: int, size: int, short: int, start: int = 0) -> None:
        vector = self.recorder.vector(self.same["tick"], market)
        more = taken(size, short, vector)
        self.sums = more if start else [a + b for a, b in zip(self.sums, more, strict=True)]
        self.changed |= int(kind == "change")
        row = {kind: 1, "start": start, "market": market, "size": size, "short": short}
        self._append(row | {f"vector_{i}": value for i, value in enumerate(vector)}, 0)

    def turn(self) -> int:
        """One whole turn; the largest sum."""
        worst = max(self.sums)
        hit_at = self.sums.index(worst)
        for entry in range(len(self.sums)):
            self.sums = [*self.sums[1:], self.sums[0]]
            row = {"turn": 1, "entry": entry, "hit": int(entry == hit_at), "found": int(entry >= hit_at)}
            self._append(row, worst)
        return worst

    def _append(self, row: Values, worst: int) -> None:
        if not self.changed:
            self.before = worst
        sums = {f"sum_{i}": value for i, value in enumerate(self.sums)}
        state = {"worst": worst, "before": self.before, "changed": self.changed}
        self.recorder.scans.append(UNUSED_SCAN | self.same | row | sums | state)
