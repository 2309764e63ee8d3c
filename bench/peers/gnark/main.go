// Command peers times gnark-crypto's kernels and gnark's PLONK on one thread. Each measurement is a line of JSON.
//
//	peers msm LOG2 RUNS SCALAR_BASE POINT_BASE
//	peers ntt LOG2 RUNS BASE
//	peers margin CHANGES RUNS
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"syscall"
	"time"
)

type measurement struct {
	Seconds []float64      `json:"seconds"`
	CPU     []float64      `json:"cpu"`
	Check   string         `json:"check,omitempty"`
	Detail  map[string]any `json:"detail,omitempty"`
}

func main() {
	runtime.GOMAXPROCS(1)
	if len(os.Args) < 4 {
		fail(fmt.Errorf("usage: peers msm|ntt|margin SIZE RUNS [BASE...]"))
	}
	size, runs := number(os.Args[2]), number(os.Args[3])
	var result measurement
	var err error
	switch stage, bases := os.Args[1], os.Args[4:]; {
	case stage == "msm" && len(bases) == 2:
		result, err = msm(1<<size, runs, bases[0], bases[1])
	case stage == "ntt" && len(bases) == 1:
		result, err = ntt(1<<size, runs, bases[0])
	case stage == "margin" && len(bases) == 0:
		result, err = margin(size, runs)
	default:
		err = fmt.Errorf("no such measurement: %v", os.Args[1:])
	}
	if err != nil {
		fail(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
		fail(err)
	}
}

// timed returns the wall-clock and processor seconds of each run; one run before them is not counted.
func timed(runs int, prepare func(), body func() error) (seconds, cpu []float64, err error) {
	for i := 0; i <= runs; i++ {
		prepare()
		runtime.GC()
		started, used := time.Now(), processor()
		if err := body(); err != nil {
			return nil, nil, err
		}
		if i > 0 {
			seconds = append(seconds, time.Since(started).Seconds())
			cpu = append(cpu, (processor() - used).Seconds())
		}
	}
	return seconds, cpu, nil
}

// processor time of this process so far, its garbage collector included.
func processor() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		fail(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// version of a module that this program was built with.
func version(module string) string {
	info, _ := debug.ReadBuildInfo()
	for _, dependency := range info.Deps {
		if dependency.Path == module {
			return dependency.Version
		}
	}
	return "unknown"
}

func number(text string) int {
	value, err := strconv.Atoi(text)
	if err != nil || value < 1 {
		fail(fmt.Errorf("%q is not a positive number", text))
	}
	return value
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
