"""Every cheat is caught, by the laws that should catch it."""

from dataclasses import replace

import pytest

from circuits.margin.statement import InvalidStatement, check_statement
from tests.circuits.margin import cheats_rules
from tests.circuits.margin.cheats import CHEATS
from tests.circuits.margin.forge import Case, failures
from tests.circuits.margin.story import CELLS, begin

assert cheats_rules.CHEATS is CHEATS  # it fills the registry


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


def test_a_batch_may_consume_its_operations_in_any_order() -> None:
    """No theft, but not proven (docs/protocol.md, section 8): a withdrawal refused before the deposit that pays it."""
    forge = begin()
    forge.act("refuse", 2, amount=CELLS[2].collateral + 500, queue=1)
    forge.act("deposit", 2, amount=500, queue=0)
    case = forge.case()
    assert failures(case) == {"statement"}  # the rows are listed in the order of the queue all the same
    listed = tuple(sorted(case.statement.l1, key=lambda row: row.queue))
    assert failures(replace(case, statement=replace(case.statement, l1=listed))) == set()
