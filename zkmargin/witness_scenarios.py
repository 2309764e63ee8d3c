"""The witness of portfolios: the block of the scenarios' table that judges a leg."""

from collections.abc import Sequence

from circuits.margin.cell import Cell
from circuits.margin.modules import taken
from circuits.margin.portfolio import SCENARIOS_MAX
from zkmargin.recorder import Recorder, Values
from zkmargin.state import Group, Leg, Rule

_ZEROS = (
    "position", "twin", "change", "turn", "start", "time", "group", "tick", "entry", "changed", "judged",
    "last", "worst", "hit", "found", "before", *(f"sum_{i}" for i in range(SCENARIOS_MAX + 1)),
    *(f"{name}{twin}" for twin in ("", "_twin") for name in ("market", "size", "short")),
    *(f"vector{twin}_{i}" for twin in ("", "_twin") for i in range(SCENARIOS_MAX + 1)),
)  # fmt: skip
UNUSED_SCAN: Values = dict.fromkeys(_ZEROS, 0)
Position = tuple[int, int, int]
"""Market, size, and how much of it is short."""


def scan(
    group: Group, leg: Leg, place: int, tick: int, changes: bool, rule: Rule | None, recorder: Recorder
) -> tuple[int, int]:
    """Appends the block of a leg to the record; what the worst scenario takes before and after it, 0 before it where
    nobody asks.

    changes: whether the leg's kind changes positions; rule: under which.
    """
    block = Block(recorder, {"time": place + 1, "group": group.head, "tick": tick})
    others = [cell for address, cell in enumerate(group.cells, group.head) if address not in (group.head, leg.address)]
    block.add([_position(cell) for cell in (*others, leg.before)])
    if not changes:
        worst = block.turn()
        return block.end(worst, worst)
    before = block.turn() if rule == "reducing" else 0
    short = max(-leg.after.position, 0) - max(-leg.before.position, 0)
    block.change((leg.before.market, leg.after.position - leg.before.position, short))
    return block.end(before, block.turn())


def hold(head: int, members: Sequence[Cell], tick: int, recorder: Recorder) -> int:
    """Appends the block of a portfolio that nothing changes, at time 0; what its worst scenario takes."""
    block = Block(recorder, {"time": 0, "group": head, "tick": tick})
    block.add([_position(cell) for cell in members])
    worst = block.turn()
    return block.end(worst, worst)[0]


def _position(cell: Cell) -> Position:
    return cell.market, cell.position, max(-cell.position, 0)


class Block:
    """The rows of a block, with the register as it stands; `same`: its time, group and tick."""

    def __init__(self, recorder: Recorder, same: Values) -> None:
        self.recorder, self.same = recorder, same
        self.sums: list[int] = []
        self.turned = 0
        self.state: Values = {"before": 0, "changed": 0, "judged": 0}

    def add(self, positions: Sequence[Position]) -> None:
        """A row for every two."""
        for number in range(0, len(positions), 2):
            row = self._instrument(positions[number], "") | {"position": 1, "start": int(number == 0)}
            if number + 1 < len(positions):
                row |= self._instrument(positions[number + 1], "_twin") | {"twin": 1}
            self._append(row, 0)

    def change(self, change: Position) -> None:
        row = self._instrument(change, "") | {"change": 1}
        self.state |= {"changed": 1, "judged": self.turned}
        self._append(row, 0)

    def turn(self) -> int:
        """One whole turn; the largest sum."""
        worst, self.turned = max(self.sums), 1
        hit_at = self.sums.index(worst)
        for entry in range(len(self.sums)):
            self.sums = [*self.sums[1:], self.sums[0]]
            row = {"turn": 1, "entry": entry, "hit": int(entry == hit_at), "found": int(entry >= hit_at)}
            self._append(row, worst)
        return worst

    def end(self, before: int, after: int) -> tuple[int, int]:
        self.recorder.scans[-1]["last"] = 1
        return before, after

    def _instrument(self, position: Position, suffix: str) -> Values:
        """Its columns; what each scenario takes from it is added to the sums."""
        market, size, short = position
        vector = self.recorder.vector(self.same["tick"], market)
        more = taken(size, short, vector)
        self.sums = [a + b for a, b in zip(self.sums or [0] * len(more), more, strict=True)]
        values = {f"market{suffix}": market, f"size{suffix}": size, f"short{suffix}": short}
        return values | {f"vector{suffix}_{i}": value for i, value in enumerate(vector)}

    def _append(self, row: Values, worst: int) -> None:
        if not self.state["changed"]:
            self.state["before"] = worst
        sums = {f"sum_{i}": value for i, value in enumerate(self.sums)}
        self.recorder.scans.append(UNUSED_SCAN | self.same | row | sums | {"worst": worst} | self.state)
