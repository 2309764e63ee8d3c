package main

import (
	"github.com/consensys/gnark-crypto/ecc/bn254/fr"
	"github.com/consensys/gnark-crypto/ecc/bn254/fr/poseidon2"
)

const collateralBefore = 1_000_000_000_000

// tree of 2^depth leaves, of which only those that are not empty are kept. nodes: by level and index; empty: the hash
// of an empty subtree by level.
type tree struct {
	hash  *poseidon2.Permutation
	nodes [depth + 1]map[uint64]fr.Element
	empty [depth + 1]fr.Element
}

func newTree() (*tree, error) {
	t := &tree{hash: poseidon2.NewPermutation(width, fullTurns, partTurns)}
	for level := range t.nodes {
		t.nodes[level] = map[uint64]fr.Element{}
		if level > 0 {
			node, err := t.compress(t.empty[level-1], t.empty[level-1])
			if err != nil {
				return nil, err
			}
			t.empty[level] = node
		}
	}
	return t, nil
}

func (t *tree) compress(left, right fr.Element) (node fr.Element, err error) {
	a, b := left.Bytes(), right.Bytes()
	digest, err := t.hash.Compress(a[:], b[:])
	node.SetBytes(digest)
	return node, err
}

func (t *tree) node(level int, index uint64) fr.Element {
	if node, found := t.nodes[level][index]; found {
		return node
	}
	return t.empty[level]
}

// set writes a leaf and the nodes above it.
func (t *tree) set(index uint64, value fr.Element) error {
	t.nodes[0][index] = value
	for level := 0; level < depth; level++ {
		index >>= 1
		node, err := t.compress(t.node(level, 2*index), t.node(level, 2*index+1))
		if err != nil {
			return err
		}
		t.nodes[level+1][index] = node
	}
	return nil
}

func packed(collateral, position uint64) fr.Element {
	var high, shift, result fr.Element
	shift.SetString("18446744073709551616")
	high.SetUint64(position)
	high.Mul(&high, &shift)
	result.SetUint64(collateral)
	return *result.Add(&result, &high)
}

// assignBatch makes a batch of buys by as many accounts, spread over the tree.
func assignBatch(changes int) (*batch, error) {
	t, err := newTree()
	if err != nil {
		return nil, err
	}
	place := func(i int) uint64 { return uint64(i) * 0x9e3779b1 % (1 << depth) }
	for i := 0; i < changes; i++ {
		if err := t.set(place(i), packed(collateralBefore, 0)); err != nil {
			return nil, err
		}
	}
	result := newBatch(changes)
	result.Before = t.node(depth, 0)
	for i := range result.Changes {
		index, size := place(i), uint64(i+1)
		c := change{Collateral: collateralBefore, Position: 0, Size: size, Index: index}
		for level := range c.Siblings {
			c.Siblings[level] = t.node(level, index>>level^1)
		}
		if err := t.set(index, packed(collateralBefore-size*price, size)); err != nil {
			return nil, err
		}
		result.Changes[i] = c
	}
	result.After = t.node(depth, 0)
	return result, nil
}
