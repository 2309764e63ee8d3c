# pragma version 0.4.3
"""
@title A token that calls back: while it pays, it asks for more
"""

interface IRollup:
    def withdraw(owner: address): nonpayable

decimals: public(constant(uint8)) = 6
balanceOf: public(HashMap[address, uint256])
hostile: public(bool)
kept: public(uint256)  # of each transfer in


@external
def mint(owner: address, amount: uint256):
    self.balanceOf[owner] += amount


@external
def approve(spender: address, amount: uint256) -> bool:
    return True


@external
def turn(hostile: bool, kept: uint256):
    self.hostile = hostile
    self.kept = kept


@external
def transfer(to: address, amount: uint256) -> bool:
    if self.hostile:
        extcall IRollup(msg.sender).withdraw(to)
    self.balanceOf[msg.sender] -= amount
    self.balanceOf[to] += amount
    return True


@external
def transferFrom(owner: address, to: address, amount: uint256) -> bool:
    self.balanceOf[owner] -= amount
    self.balanceOf[to] += amount - self.kept
    return True
