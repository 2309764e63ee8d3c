"""Every cheat is caught, by the laws that should catch it."""

from dataclasses import replace

import pytest

from circuits.margin.statement import InvalidStatement
from circuits.margin.statement_rules import check_statement
from tests.circuits.margin import cheats_pairs, cheats_rules
from tests.circuits.margin.cheats import CHEATS
from tests.circuits.margin.forge import Case, failures
from tests.circuits.margin.sheet import Sheet
from tests.circuits.margin.story import CELLS, begin

assert cheats_pairs and cheats_rules  # they fill the registry


@pytest.mark.parametrize("name", sorted(CHEATS))
def test_cheat(name: str) -> None:
    cheat = CHEATS[name]()
    assert cheat.expected
    assert failures(Case(*cheat[:4])) == cheat.expected


@pytest.mark.parametrize("name", sorted(CHEATS))
def test_the_statement_is_not_what_gives_it_away(name: str) -> None:
    """Most cheats say in public what an honest batch could say; where the statement lies, an arbiter sees it."""
    cheat = CHEATS[name]()
    if "statement" in cheat.expected:
        with pytest.raises(InvalidStatement):
            check_statement(cheat.statement, cheat.parameters, cheat.shape)
    else:
        check_statement(cheat.statement, cheat.parameters, cheat.shape)


def test_a_batch_consumes_its_operations_in_their_order() -> None:
    """A withdrawal refused before the deposit that pays it, counted as the second and the first."""
    forge = begin()
    forge.act("refuse", 2, amount=CELLS[2].collateral + 500, queue=1)
    forge.act("deposit", 2, amount=500, queue=0)
    case = forge.case()
    listed = tuple(sorted(case.statement.l1, key=lambda row: row.queue))
    honest = replace(case, statement=replace(case.statement, l1=listed))
    assert failures(case) == {"statement", "bus.l1"} and failures(honest) == {"bus.l1"}
    forged = Sheet(honest)
    for row, queue in ((0, 1), (1, 2), (2, 0), (3, 1)):
        forged.write_row(row, "queue", queue)
    assert failures(forged.case()) == {"transitions.queue_first", "transitions.queue_next"}
