package main

import (
	"fmt"

	"github.com/consensys/gnark-crypto/ecc"
	"github.com/consensys/gnark/backend/plonk"
	"github.com/consensys/gnark/frontend"
	"github.com/consensys/gnark/frontend/cs/scs"
	"github.com/consensys/gnark/logger"
	"github.com/consensys/gnark/test/unsafekzg"
)

// margin times PLONK proofs of a batch of changes to accounts in a tree, witness solving included.
func margin(changes, runs int) (measurement, error) {
	logger.Disable()
	circuit := newBatch(changes)
	system, err := frontend.Compile(ecc.BN254.ScalarField(), scs.NewBuilder, circuit)
	if err != nil {
		return measurement{}, err
	}
	powers, lagrange, err := unsafekzg.NewSRS(system, unsafekzg.WithToxicSeed([]byte("bench")))
	if err != nil {
		return measurement{}, err
	}
	provingKey, verifyingKey, err := plonk.Setup(system, powers, lagrange)
	if err != nil {
		return measurement{}, err
	}
	assignment, err := assignBatch(changes)
	if err != nil {
		return measurement{}, err
	}
	witness, err := frontend.NewWitness(assignment, ecc.BN254.ScalarField())
	if err != nil {
		return measurement{}, err
	}
	var proof plonk.Proof
	seconds, cpu, err := timed(runs, func() {}, func() (err error) {
		proof, err = plonk.Prove(system, provingKey, witness)
		return err
	})
	if err != nil {
		return measurement{}, err
	}
	public, err := witness.Public()
	if err != nil {
		return measurement{}, err
	}
	if err := plonk.Verify(proof, verifyingKey, public); err != nil {
		return measurement{}, fmt.Errorf("the proof is refused: %w", err)
	}
	constraints := system.GetNbConstraints()
	return measurement{seconds, cpu, "verified", map[string]any{
		"version":                version("github.com/consensys/gnark"),
		"constraints":            constraints,
		"constraints per change": constraints / changes,
	}}, nil
}
