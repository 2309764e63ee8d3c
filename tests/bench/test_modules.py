"""The cost of a check under each risk module, at the smallest size."""

import pytest
from click.testing import CliRunner

from bench.modules import BATCHES, checks_of, main, module_batch


@pytest.mark.parametrize("name", BATCHES)
def test_every_leg_checks_an_account_of_its_own(name: str) -> None:
    _, shape, batch = module_batch(name, 9, 8)
    legs = [leg for step in batch.steps for leg in step.legs]
    assert len({leg.address for leg in legs}) == len(legs) == sum(checks_of(name, 9).values())
    passed = sum(len(leg.group.cells) for leg in legs if leg.group is not None)
    scanned = sum(kind.scanned * number for kind, number in checks_of(name, 9).items())
    assert shape.scenarios // 2 < scanned <= shape.scenarios or scanned == shape.scenarios == 0
    assert shape.groups // 2 < passed <= shape.groups or passed == shape.groups == 0


def test_it_proves_verifies_and_tells() -> None:
    result = CliRunner().invoke(main, ["--size", "8", "--runs", "1", "--limb-bits", "8"], terminal_width=200)
    assert result.exit_code == 0, result.output
    assert all(name in result.output for name in BATCHES)
