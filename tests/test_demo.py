"""The main job on real market data: thousands of position changes, liquidations among them, in one verified proof."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from zkmargin.cli import main

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
BARS = ("--oracle", str(DATA / "bitmex_xbtusd_1m_2020-03_blackthursday.csv.gz"), "--day", "2020-03-12")
TAPES = {
    "BTC perpetual": ("--tape", str(DATA / "binance_um_btcusdt_trades.csv.gz")),
    "ETH perpetual": ("--tape", str(DATA / "binance_um_ethusdt_trades.csv.gz")),
    "12 March 2020": BARS,
}


@pytest.mark.skipif(not DATA.is_dir(), reason="the market data folder ../shared/data is not here")
@pytest.mark.parametrize("name", TAPES)
def test_demo_on_real_tapes(name: str) -> None:
    result = CliRunner().invoke(main, ["demo", *TAPES[name], "--json"])
    assert result.exit_code == 0, result.output
    report = json.loads(result.output)
    *openings, trading = report["batches"]
    assert trading["position changes"] >= 4096 and trading["liquidate"] > 0 and trading["refused"] > 0
    assert sum(batch["open"] for batch in openings) >= 4096
    assert all(batch["proof bytes"] <= 20_000 for batch in report["batches"])
