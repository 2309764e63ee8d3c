package main

import (
	"github.com/consensys/gnark/frontend"
	"github.com/consensys/gnark/std/math/bits"
	"github.com/consensys/gnark/std/permutation/poseidon2"
)

const (
	depth     = 20
	limit     = 64 // bits of each range check
	price     = 30_000
	rate      = 1_000 // initial margin per unit of position
	width     = 2
	fullTurns = 6
	partTurns = 50
)

// change of one account: its leaf before, what a trade adds to its position, and its way to the root. The position is
// long; a leaf is collateral + 2^64 * position.
type change struct {
	Collateral, Position, Size frontend.Variable
	Index                      frontend.Variable
	Siblings                   [depth]frontend.Variable
}

// batch is the conventional circuit: every change opens the old path, checks the account, and computes the new path.
type batch struct {
	Before  frontend.Variable `gnark:",public"`
	After   frontend.Variable `gnark:",public"`
	Changes []change
}

func newBatch(changes int) *batch {
	return &batch{Changes: make([]change, changes)}
}

// Define asserts that the changes, one after the other, take the tree from Before to After.
func (b *batch) Define(api frontend.API) error {
	hash, err := poseidon2.NewPoseidon2FromParameters(api, width, fullTurns, partTurns)
	if err != nil {
		return err
	}
	root := b.Before
	for i := range b.Changes {
		c := &b.Changes[i]
		turns := bits.ToBinary(api, c.Index, bits.WithNbDigits(depth))
		api.AssertIsEqual(rootOf(api, hash, leaf(api, c.Collateral, c.Position), turns, c.Siblings), root)
		collateral, position := trade(api, c)
		root = rootOf(api, hash, leaf(api, collateral, position), turns, c.Siblings)
	}
	api.AssertIsEqual(root, b.After)
	return nil
}

// trade returns collateral and position after it, both in range, and asserts the account's initial margin.
func trade(api frontend.API, c *change) (frontend.Variable, frontend.Variable) {
	collateral := api.Sub(c.Collateral, api.Mul(c.Size, price))
	position := api.Add(c.Position, c.Size)
	value := api.Add(collateral, api.Mul(position, price))
	room := api.Sub(value, api.Mul(position, rate))
	for _, checked := range []frontend.Variable{collateral, position, room} {
		bits.ToBinary(api, checked, bits.WithNbDigits(limit))
	}
	return collateral, position
}

func leaf(api frontend.API, collateral, position frontend.Variable) frontend.Variable {
	return api.Add(collateral, api.Mul(position, "18446744073709551616"))
}

func rootOf(
	api frontend.API, hash *poseidon2.Permutation, node frontend.Variable, turns []frontend.Variable, siblings [depth]frontend.Variable,
) frontend.Variable {
	for level, right := range turns {
		sibling := siblings[level]
		// with d = right * (sibling - node) the pair is (node + d, sibling - d): one product a level
		d := api.Mul(right, api.Sub(sibling, node))
		node = hash.Compress(api.Add(node, d), api.Sub(sibling, d))
	}
	return node
}
