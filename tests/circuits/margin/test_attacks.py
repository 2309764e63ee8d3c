"""Every cheat is caught, by the laws that should catch it."""

import pytest

from circuits.margin.statement import InvalidStatement, check_statement
from tests.circuits.margin import cheats_rules
from tests.circuits.margin.cheats import CHEATS
from tests.circuits.margin.forge import Case, failures

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
