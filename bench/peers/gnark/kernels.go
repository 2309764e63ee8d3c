package main

import (
	"fmt"

	"github.com/consensys/gnark-crypto/ecc"
	"github.com/consensys/gnark-crypto/ecc/bn254"
	"github.com/consensys/gnark-crypto/ecc/bn254/fr"
	"github.com/consensys/gnark-crypto/ecc/bn254/fr/fft"
)

const cryptoModule = "github.com/consensys/gnark-crypto"

// powers of the base from base^1 on, as many as asked for.
func powers(base string, n int) ([]fr.Element, error) {
	var step fr.Element
	if _, err := step.SetString(base); err != nil {
		return nil, fmt.Errorf("base %q: %w", base, err)
	}
	result := make([]fr.Element, n)
	result[0] = step
	for i := 1; i < n; i++ {
		result[i].Mul(&result[i-1], &step)
	}
	return result, nil
}

// msm times sum s^(i+1) * [p^(i+1)]_1 and returns its x coordinate to be checked.
func msm(n, runs int, scalarBase, pointBase string) (measurement, error) {
	scalars, err := powers(scalarBase, n)
	if err != nil {
		return measurement{}, err
	}
	logs, err := powers(pointBase, n)
	if err != nil {
		return measurement{}, err
	}
	_, _, generator, _ := bn254.Generators()
	points := bn254.BatchScalarMultiplicationG1(&generator, logs)
	var sum bn254.G1Affine
	seconds, cpu, err := timed(runs, func() {}, func() error {
		_, err := sum.MultiExp(points, scalars, ecc.MultiExpConfig{NbTasks: 1})
		return err
	})
	return measurement{seconds, cpu, sum.X.String(), map[string]any{"version": version(cryptoModule)}}, err
}

// ntt times a forward transform of b^(i+1) into natural order, and returns the value at 1 to be checked; the detail
// has the seconds of the same transform into bit-reversed order.
func ntt(n, runs int, base string) (measurement, error) {
	coefficients, err := powers(base, n)
	if err != nil {
		return measurement{}, err
	}
	domain, values := fft.NewDomain(uint64(n)), make([]fr.Element, n)
	fill := func() { copy(values, coefficients) }
	_, reversed, err := timed(runs, fill, func() error {
		domain.FFT(values, fft.DIF, fft.WithNbTasks(1))
		return nil
	})
	if err != nil {
		return measurement{}, err
	}
	natural, cpu, err := timed(runs, fill, func() error {
		domain.FFT(values, fft.DIF, fft.WithNbTasks(1))
		fft.BitReverse(values)
		return nil
	})
	detail := map[string]any{"version": version(cryptoModule), "bit-reversed cpu": reversed}
	return measurement{natural, cpu, values[0].String(), detail}, err
}
