// Command mutate shows what the tests do not notice. It changes the code in
// many small ways, one at a time, and runs the tests that reach the change: a
// mutant that they do not fail on survives, and a test is missing, or the
// change makes no difference.
//
// All mutants are compiled into one test binary for each package, behind a
// variable of the environment that chooses one; the tree is not touched. They
// are a random sample: the seed that is printed repeats it. It is no part of
// CI, since it takes long:
//
//	go run ./.ci/mutate -n 200
//
// Survivors that are argued are in argued.txt, each with its reason. The exit
// code is 1 where more than one in ten survives that is not.
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"
)

// suites are the packages whose tests are to notice a mutant of a package.
var suites = map[string][]string{
	"executor":                            {"executor", "executor/store/memory", "rpc", "rpc/rpctest/history"},
	"executor/store/sqlite":               {"executor/store/sqlite", "rpc/rpctest/history"},
	"executor/store/sqlite/inspect":       {"executor/store/sqlite/inspect", "executor/store/sqlite"},
	"executor/store/sqlite/internal/file": {"executor/store/sqlite/internal/file", "executor/store/sqlite"},
	"rpc":                                 {"rpc", "rpc/rpctest/history"},
}

func main() {
	packages := flag.String("packages", "executor,executor/store/sqlite,executor/store/sqlite/inspect,executor/store/sqlite/internal/file,rpc", "the `packages` to change, by commas")
	n := flag.Int("n", 200, "how many mutants")
	seed := flag.Uint64("seed", rand.Uint64(), "the `seed` of the sample")
	only := flag.String("only", "", "only mutants whose description contains this `text`")
	slowest := flag.Duration("slowest", 20*time.Second, "tests that take longer are left out")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	code, err := run(ctx, strings.Split(*packages, ","), *n, *seed, *only, *slowest)
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		code = 2
	}
	os.Exit(code)
}

func run(ctx context.Context, packages []string, n int, seed uint64, only string, slowest time.Duration) (int, error) {
	dir, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	argued, err := readArgued(filepath.Join(".ci", "mutate", "argued.txt"))
	if err != nil {
		return 0, err
	}
	var all []*mutant
	for _, p := range packages {
		if suites[p] == nil {
			return 0, fmt.Errorf("there is no suite for %s", p)
		}
		found, err := mutantsOf(p)
		if err != nil {
			return 0, err
		}
		all = append(all, found...)
	}
	sample := choose(all, n, seed, only)
	fmt.Printf("seed %d: %d of %d mutants\n", seed, len(sample), len(all))
	b := &bench{dir: dir, slowest: slowest}
	if err := b.prepare(ctx, sample, packages); err != nil {
		return 0, err
	}
	return judge(ctx, b, sample, argued)
}

// choose draws a sample.
func choose(all []*mutant, n int, seed uint64, only string) []*mutant {
	random := rand.New(rand.NewPCG(seed, 0))
	random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	var sample []*mutant
	for _, m := range all {
		if len(sample) < n && strings.Contains(m.String(), only) {
			m.number = len(sample) + 1
			sample = append(sample, m)
		}
	}
	return sample
}

// judge runs the tests on each mutant, and reports.
func judge(ctx context.Context, b *bench, sample []*mutant, argued map[string]string) (int, error) {
	tried, survived, explained := 0, 0, 0
	for _, m := range sample {
		if m.broken {
			continue // it does not compile
		}
		tried++
		killer, err := b.kill(ctx, m)
		if err != nil {
			return 0, err
		}
		switch reason, known := argued[m.key()]; {
		case killer != "":
			fmt.Printf("killed    %s  (%s)\n", m, killer)
		case known:
			explained++
			fmt.Printf("argued    %s  (%s)\n", m, reason)
		default:
			survived++
			fmt.Printf("SURVIVED  line %d  %s  (%d tests reach it)\n", m.line, m.key(), b.reaching(m))
		}
	}
	fmt.Printf("%d mutants, %d survived, %d more are argued\n", tried, survived, explained)
	if survived*10 > tried {
		return 1, nil
	}
	return 0, nil
}
