"""Parameters that change with notice: whom they would hurt, what they allow before and after, and the chain of keys."""

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from circuits.margin.parameters import Parameters
from circuits.margin.portfolio import Instrument, Option
from circuits.margin.statement import InvalidStatement, Statement
from circuits.margin.succession import Amendment, check_succession
from circuits.margin.tiers import ParameterError, build_tiers
from tests.circuits.margin.groups_story import CALLS, P_BTC, P_CALL, P_ETH, P_PUT, PUTS, SHAPE, parameters
from tests.circuits.margin.venue_modules import Directional
from verifier.chain import Link, verify_chain
from verifier.margin import load_key
from zkmargin.cli import main
from zkmargin.files import write_parameters, write_transactions
from zkmargin.rollup import Rollup
from zkmargin.store import SCHEMA_VERSION, StoreError
from zkmargin.transactions import Deposit, Form, InputError, Join, Liquidate, Open, Tick, Touch, Trade, Transaction

NOTICE, START = 500, 1600
OLD = replace(parameters(), notice=NOTICE)
SMALL = replace(SHAPE, scenarios=1024)
ROWS = ((P_BTC, 0), (P_ETH, 0), (P_CALL, 0), (P_PUT, 0))
FIRST: list[Transaction] = [
    Tick(1060, ROWS, ((), (), CALLS, PUTS)),
    Open(2, 0, 0), Open(3, 0, 1), Open(4, 0, 2), Form(8, 4, 3), Join(8, 0), Join(8, 1),
    Deposit(2, 10**6, 4), Deposit(3, 2_000, 5), Deposit(4, 50_000, 6), Deposit(9, 7_000, 7),
    Trade(3, 2, 150, 1, 15_000, 0, 0), Trade(4, 2, 100, -1, -10_000, 0, 0), Trade(9, 2, 600, 1, 60_000, 0, 0),
]  # fmt: skip
STILL: list[Transaction] = [Tick(1500, ROWS, ((), (), CALLS, PUTS)), Touch(3), Liquidate(2, 3, 150, 15_000, 0)]
NEW_ROWS = (*ROWS, (7 << 16, 0))
AFTER: list[Transaction] = [
    Tick(START, NEW_ROWS, ((), (), CALLS, PUTS, ())),
    Liquidate(2, 3, 150, 15_000, 0), Open(5, 4, 8), Deposit(5, 300, 9),
]  # fmt: skip


def amended() -> Parameters:
    """Three times the margin on the first market, and a fifth market."""
    tiers = build_tiers([(0, 10_000, 14_000)], 1 << 60)
    first, *others = OLD.markets
    portfolio = OLD.portfolio
    assert portfolio is not None
    instruments = (*portfolio.instruments, replace(portfolio.instruments[0], shocks=(0,) * portfolio.scenarios))
    markets = (replace(first, tiers=tiers), *others, replace(first, name="SOL", price=7 << 16))
    return replace(OLD, markets=markets, portfolio=replace(portfolio, instruments=instruments))


def run(*arguments: object, code: int = 0) -> Result:
    result = CliRunner().invoke(main, list(map(str, arguments)))
    assert result.exit_code == code, f"{arguments}: {result.output} {result.exception}"
    return result


def told(*arguments: object) -> Any:
    return json.loads(run(*arguments, "--json").output)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A rollup with one batch, the new parameters beside it, and files of further transactions."""
    place = tmp_path_factory.mktemp("amend")
    write_parameters(place / "old.json", OLD, SMALL)
    write_parameters(place / "new.json", amended(), replace(SMALL, groups=512))
    for name, transactions in (("first", FIRST), ("still", STILL), ("after", AFTER), ("both", [*STILL, *AFTER])):
        write_transactions(place / f"{name}.jsonl", transactions)
    run("setup", "--parameters", place / "new.json", "--insecure", "seed", "--out", place / "setup")
    run("init", place / "rollup", "--parameters", place / "old.json", "--setup", place / "setup")
    assert told("apply", place / "rollup", place / "first.jsonl")["refusals"] == []
    return place


def below(rules: Parameters, cells: dict[tuple[int, ...], list[tuple[int, int]]]) -> set[tuple[int, ...]]:
    """The accounts of (collateral, position in the first market) below maintenance, in fractions."""
    found, tier, price = set(), rules.markets[0].tiers[0], Fraction(P_BTC, 1 << 16)
    for account, held in cells.items():
        equity = sum(collateral + position * price for collateral, position in held)
        required = sum(abs(position) * price * Fraction(tier.maintenance_rate, 1 << 16) for _, position in held)
        found |= {account} if equity < required else set()
    return found


def test_1_whom_it_would_hurt(place: Path) -> None:
    command = "amend", place / "rollup", "--parameters", place / "new.json", "--start", START
    state, _ = Rollup(place / "rollup").store.state()
    held = {(cell,): [cell] for cell in (2, 3, 4)} | {(9, 10): [9, 10]}
    cells = {
        account: [(state.cell(cell).collateral, state.cell(cell).position) for cell in members]
        for account, members in held.items()
    }
    dry = told(*command, "--dry-run")
    assert below(OLD, cells) == set() and {tuple(hurt["cells"]) for hurt in dry["hurt"]} == below(amended(), cells)
    assert {tuple(hurt["cells"]) for hurt in dry["hurt"]} == {(3,), (9, 10)} and dry["below maintenance"] == 0
    for hurt in dry["hurt"]:
        assert hurt["after"] < 0 <= hurt["before"]
    said = run(*command, code=2).output
    assert "2 accounts would be below maintenance at today's prices: cells 3, 9" in said
    assert "amendments" not in told("inspect", place / "rollup")
    assert "\n  cells (3,):" in run(*command, "--dry-run").output


def test_2_it_is_announced_with_notice(place: Path) -> None:
    command = "amend", place / "rollup", "--parameters", place / "new.json", "--force", "--start"
    assert "start: 1559 is too soon: 1560 at the earliest" in run(*command, 1559, code=2).output
    key = told(*command, START)["key"]
    assert "another amendment is to come" in run(*command, START, code=2).output
    run("amend", place / "rollup", "--withdraw")
    assert "no amendment is to come" in run("amend", place / "rollup", "--withdraw", code=2).output
    assert told(*command, START)["key"] == key
    run("amend", place / "rollup", code=2)
    run(*command, START, "--withdraw", code=2)
    [listed] = told("inspect", place / "rollup")["amendments"]
    assert listed == {"key": key, "announced": 1060, "start": START, "first batch": None}


def test_3_what_is_allowed_before_and_after(place: Path) -> None:
    """The same liquidation, at the same prices."""
    said = run("apply", place / "rollup", place / "both.jsonl", code=2).output
    assert f"both.jsonl, line 4, field time: {START}: from {START} on other parameters count, in a new batch" in said
    before = told("apply", place / "rollup", place / "still.jsonl")
    assert [refusal.split(":")[:2] for refusal in before["refusals"]] == [["line 3", " healthy"]]
    after = told("apply", place / "rollup", place / "after.jsonl")
    assert after["refusals"] == [] and after["batch"] == 2
    inspected = told("inspect", place / "rollup")
    assert inspected["markets"][-1] == "SOL" and inspected["groups"] == 512
    [listed] = inspected["amendments"]
    assert listed["first batch"] == 2 and listed["key"] == inspected["key"]
    for number in range(3):
        run("check", place / "rollup", number)


def test_4_every_batch_is_proven_under_its_key(place: Path) -> None:
    keys = []
    for number in range(3):
        out = place / f"proof{number}"
        run("prove", place / "rollup", number, "--out", out)
        Rollup(place / "rollup").verify(number)
        assert (out / "amendment.json").exists() == (number == 2)
        keys.append(load_key((out / "key.json").read_text()).digest.hex())
    assert keys[0] == keys[1] != keys[2]
    folders = [place / f"proof{number}" for number in range(3)]
    verdict = told("verify-chain", *folders, "--allow-insecure")
    assert verdict["batches"] == [0, 1, 2]
    assert verdict["amendments"] == [{"batch": 2, "key": keys[2], "announced": 1060, "start": START}]
    alone = told("verify-chain", folders[2], "--allow-insecure")
    assert alone["batches"] == [2] and alone["amendments"] == []  # nothing was there to check its notice against
    pins = [argument for key in set(keys) for argument in ("--key-digest", key)]
    assert told("verify-chain", *folders, "--allow-insecure", *pins)["verdict"] == "accepted"
    said = run("verify-chain", *folders, "--allow-insecure", "--key-digest", keys[0], code=1).output
    assert "proof2" in said and "not the pinned one" in said


@pytest.fixture(scope="module")
def links(place: Path) -> list[Link]:
    found = []
    for folder in (place / f"proof{number}" for number in range(3)):
        amendment = folder / "amendment.json"
        found.append(
            Link(
                load_key((folder / "key.json").read_text()),
                Statement.from_json((folder / "statement.json").read_text()),
                (folder / "proof.bin").read_bytes(),
                Amendment.from_json(json.loads(amendment.read_text())) if amendment.exists() else None,
            )
        )
    return found


def broken(links: list[Link]) -> Iterator[tuple[list[Link], str]]:
    """Chains with one link that does not fit."""
    zero, one, two = links

    def stated(link: Link, **other: Any) -> Link:
        return replace(link, statement=replace(link.statement, **other))

    rows = two.statement.last_oracle
    yield [zero, two], "batch 2 does not follow batch 0"
    yield [one, zero], "batch 0 does not follow batch 1"
    yield [zero, stated(one, old=two.statement.new)], "batch 1 starts from another state"
    yield [one, stated(two, old=None)], "batch 2 starts from another state"
    yield [zero, stated(one, contract=7)], "batch 1: of another contract"
    yield [zero, stated(one, next_queue=7)], "batch 1 starts with another L1 operation"
    yield [one, stated(two, last_oracle=rows[:-1])], "batch 2 starts from other oracle rows"
    yield [one, stated(two, last_oracle=(*rows[:-1], replace(rows[-1], price=1)))], "starts from other oracle rows"
    yield [zero, stated(one, supplied=(1,))], "batch 1: other assets are supplied"
    yield [stated(zero, supplied=(1,)), one], "batch 0: supplied: an amount for each asset"
    yield [stated(zero, oracle=()), one], "batch 0 has no oracle tick"
    yield [stated(one, oracle=()), two], "batch 1 has no oracle tick"
    yield [one, stated(two, oracle=())], "batch 2 has no oracle tick"
    yield [zero, replace(one, amendment=two.amendment)], "batch 1: an amendment, and the key is the one before"
    yield [one, replace(two, amendment=None)], "batch 2: another key, and no amendment"
    for key in (replace(two.key, srs_digest=bytes(32)), replace(two.key, srs_kind="ceremony")):
        yield [one, replace(two, key=key)], "batch 2: the key is over another setup"
    for announced, start, message in (
        (1060, 1559, "start: 1559 is too soon"),
        (START - NOTICE + 1, START, "start: 1600 is too soon"),
        (1501, 2001, "announced at 1501, after 1500"),
        (1060, START + 1, f"batch 2 begins at {START}, its amendment counts from {START + 1}"),
    ):
        yield [one, replace(two, amendment=Amendment(announced, start))], message
    late = stated(one, oracle=tuple(replace(row, time=START) for row in one.statement.oracle))
    yield [late, stated(two, last_oracle=tuple(replace(row, time=START) for row in rows))], f"has a tick of {START}"


def test_5_a_chain_holds_link_by_link(links: list[Link]) -> None:
    for chain, message in broken(links):
        with pytest.raises(InvalidStatement, match=message):
            verify_chain(chain, True)
    verify_chain(links[1:], True)


def test_6_a_proof_of_the_chain_that_is_none(place: Path, tmp_path: Path) -> None:
    for name in ("key.json", "statement.json", "proof.bin", "amendment.json"):
        (tmp_path / name).write_bytes((place / "proof2" / name).read_bytes())
    data = bytearray((tmp_path / "proof.bin").read_bytes())
    data[100] ^= 1
    (tmp_path / "proof.bin").write_bytes(data)
    run("verify-chain", place / "proof1", tmp_path, "--allow-insecure", code=1)
    (tmp_path / "amendment.json").write_text('{"announced": 1060, "start": "soon"}')
    said = run("verify-chain", place / "proof1", tmp_path, "--allow-insecure", code=2).output
    assert f"{tmp_path / 'amendment.json'}: start" in said


def test_7_the_local_chain_has_one_verifier(place: Path) -> None:
    pytest.importorskip("ethereum")
    said = run("evm", "submit", place / "rollup", code=2).output
    assert "its batches have several keys" in said


def refused() -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Message, what changes of the parameters, what of the shape."""
    new, portfolio = amended(), amended().portfolio
    assert portfolio is not None
    first, *others = new.markets

    def market(**other: Any) -> dict[str, Any]:
        return {"markets": (replace(first, **other), *others)}

    expired = Instrument((), portfolio.instruments[2].addons, Option(0, True, 1 << 20, START, 1))
    fewer = replace(portfolio, instruments=portfolio.instruments[:3])
    call = replace(portfolio.instruments[2], option=Option(0, True, 1 << 20, 1 << 31, 6554))
    moved = (*portfolio.instruments[:2], call, *portfolio.instruments[3:])
    short = tuple(replace(each, shocks=each.shocks[:8]) for each in portfolio.instruments)
    return [
        ("fee_cell: 0 stays", {"fee_cell": 6}, {}),
        ("insurance_cell: 1 stays", {"insurance_cell": 6}, {}),
        ("genesis_time: 1000 stays", {"genesis_time": 1001}, {}),
        ("shape.cells: 64 stays", {}, {"cells": 128}),
        ("shape.published_diff: True stays", {}, {"published_diff": False}),
        ("shape.groups: at least 256", {}, {"groups": 128}),
        ("shape.scenarios: at least 1024", {}, {"scenarios": 512}),
        ("markets: 4 at least", {"markets": new.markets[:3], "portfolio": fewer}, {}),
        (r"markets\[0\].name: 'BTC' stays", market(name="XBT"), {}),
        (r"markets\[0\].price: 6553600 stays", market(price=1), {}),
        (r"markets\[0\].index: 0 stays", market(index=1), {}),
        (r"markets\[0\].is_asset: False stays", market(supply_cap=5, funding_cap=0), {}),
        ("portfolio: groups are judged by it", {"portfolio": None}, {"scenarios": 1024}),
        ("portfolio.scenarios: 16 stays", {"portfolio": replace(portfolio, scenarios=8, instruments=short)}, {}),
        (r"instruments\[2\].option", {"portfolio": replace(portfolio, instruments=moved)}, {}),
        (
            r"instruments\[4\].option.expiry: a new option expires after 1600",
            {
                "portfolio": replace(portfolio, instruments=(*portfolio.instruments[:4], expired)),
                "markets": (*new.markets[:4], replace(new.markets[4], funding_cap=0)),
            },
            {},
        ),
    ]


@pytest.mark.parametrize(("message", "rules", "sizes"), refused(), ids=[each[0] for each in refused()])
def test_what_may_not_change(message: str, rules: dict[str, Any], sizes: dict[str, Any]) -> None:
    check_succession((OLD, SMALL), (amended(), replace(SMALL, groups=512)), START)
    with pytest.raises(ParameterError, match=message):
        check_succession((OLD, SMALL), (replace(amended(), **rules), replace(SMALL, **sizes)), START)


def test_a_sweep_comes_with_room_for_the_largest_portfolio() -> None:
    """With the same table a portfolio that was promised 59 cells could neither be paid nor refused, nor swept."""
    tight, wide = replace(SMALL, scenarios=64), replace(SMALL, scenarios=256, sweep=True)
    check_succession((OLD, tight), (OLD, wide), START)
    with pytest.raises(ParameterError, match=r"shape\.scenarios: more with a sweep, as portfolios were promised 59"):
        check_succession((OLD, tight), (OLD, replace(tight, sweep=True)), START)


def test_a_module_that_judges_groups_stays() -> None:
    old = replace(OLD, modules=(Directional(300, 2),))
    check_succession((old, SMALL), (replace(old, modules=(Directional(600, 3),)), SMALL), START)
    with pytest.raises(ParameterError, match="modules: directional judges groups, and stays"):
        check_succession((old, SMALL), (OLD, SMALL), START)


def test_a_supply_cap_is_not_lowered() -> None:
    def capped(cap: int) -> Parameters:
        coin = replace(OLD.markets[0], supply_cap=cap, funding_cap=0)
        return replace(OLD, markets=(coin,), portfolio=None)

    flat = replace(SMALL, scenarios=0, groups=0)
    check_succession((capped(5), flat), (capped(6), flat), START)
    with pytest.raises(ParameterError, match=r"markets\[0\].supply_cap"):
        check_succession((capped(5), flat), (capped(4), flat), START)


class Stop(Exception):  # noqa: N818 (not a fault)
    """A step at which a process ends."""


def fresh(place: Path, tmp_path: Path) -> Path:
    run("init", tmp_path / "rollup", "--parameters", place / "old.json", "--setup", place / "setup")
    return tmp_path / "rollup"


def test_a_stop_keeps_all_or_nothing(place: Path, tmp_path: Path) -> None:
    folder, at = fresh(place, tmp_path), ""

    def checkpoint(step: str) -> None:
        if step == at:
            raise Stop

    rollup = Rollup(folder, "cpu", checkpoint)
    rollup.apply_file(place / "first.jsonl")
    proposal = Amendment(1060, START), amended(), replace(SMALL, groups=512)
    at = "amendment written"
    with pytest.raises(Stop):
        rollup.announce(*proposal)
    assert rollup.store.amendments() == []
    at = ""
    rollup.announce(*proposal)
    at = "head written"
    with pytest.raises(Stop):
        rollup.apply_file(place / "after.jsonl")
    again = Rollup(folder, "cpu")
    assert again.history.to_come is not None and again.store.state()[0].batch == 1
    at = ""
    assert again.apply_file(place / "after.jsonl")["batch"] == 1 and again.history.to_come is None


def test_another_process_that_announces(place: Path, tmp_path: Path) -> None:
    folder = fresh(place, tmp_path)
    one, other = Rollup(folder, "cpu"), Rollup(folder, "cpu")
    one.apply_file(place / "first.jsonl")
    proposal = Amendment(1060, START), amended(), replace(SMALL, groups=512)

    def announce(step: str) -> None:
        if step == "built" and not other.store.amendments():
            other.announce(*proposal)

    late = Rollup(folder, "cpu", announce)
    with pytest.raises(StoreError, match="another process has changed what is announced"):
        late.apply_file(place / "still.jsonl")
    assert late.apply_file(place / "still.jsonl")["batch"] == 1
    with pytest.raises(InputError, match="a batch has at least one tick"):  # of five markets
        one.apply_file(write_transactions(tmp_path / "rows.jsonl", [Tick(START, ROWS), Touch(2)]))
    assert one.history.to_come is not None
    other.store.withdraw()
    with pytest.raises(StoreError, match="a batch was applied by another process"):
        other.announce(*proposal)


def test_a_file_of_the_schema_before_is_taken_over(place: Path, tmp_path: Path) -> None:
    folder = fresh(place, tmp_path)
    with sqlite3.connect(folder / "rollup.sqlite") as connection:
        connection.execute("DROP TABLE amendments")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION - 1}")
    rollup = Rollup(folder, "cpu")
    assert rollup.store.amendments() == [] and rollup.apply_file(place / "first.jsonl")["batch"] == 0
    assert "damaged" not in rollup.describe()
    with sqlite3.connect(folder / "rollup.sqlite") as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
        connection.execute("INSERT INTO amendments VALUES (1, 5, 6, '{}', 'none', NULL)")
    with pytest.raises(StoreError, match="damaged, an amendment is not the one that was written"):
        Rollup(folder, "cpu")
