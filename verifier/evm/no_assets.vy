# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title assets.vy of a key without assets
@notice No such key pays for the code of others.
"""

import ledger
import queue

uses: ledger
uses: queue

markets: public(HashMap[uint256, uint256])


@internal
def move(sweep: uint256, rows: uint256, count: uint256):
    assert ledger.queue_end == 0 and not queue.closing[0]  # what a module `uses` it has to use
    raise "no assets"
