package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// bench has the test binaries, and which tests reach which mutant.
type bench struct {
	dir     string
	slowest time.Duration
	tests   []*test
}

// test is one top-level test of a suite.
type test struct {
	suite, name string
	binary      string
	took        time.Duration
	reaches     map[int]bool
}

// prepare builds the binaries, and runs every test once without a mutant.
func (b *bench) prepare(ctx context.Context, sample []*mutant, packages []string) error {
	file, err := b.compiles(ctx, sample, packages)
	if err != nil {
		return err
	}
	var needed []string
	for _, p := range packages {
		for _, suite := range suites[p] {
			if !slices.Contains(needed, suite) {
				needed = append(needed, suite)
			}
		}
	}
	for _, suite := range needed {
		binary := filepath.Join(b.dir, strings.ReplaceAll(suite, "/", "_")+".test")
		if out, err := command(ctx, ".", "go", "test", "-c", "-vet=off", "-overlay", file, "-o", binary, "./"+suite).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", suite, err, out)
		}
		if err := b.survey(ctx, suite, binary); err != nil {
			return err
		}
	}
	slices.SortFunc(b.tests, func(x, y *test) int { return int(x.took - y.took) })
	return nil
}

var compileError = regexp.MustCompile(`(?m)^(\S+\.go):(\d+):`)

// compiles leaves out the mutants that do not compile.
func (b *bench) compiles(ctx context.Context, sample []*mutant, packages []string) (string, error) {
	for {
		file, err := overlay(b.dir, sample, packages)
		if err != nil {
			return "", err
		}
		args := []string{"build", "-gcflags=-e", "-overlay", file}
		for _, p := range packages {
			args = append(args, "./"+p)
		}
		out, err := command(ctx, ".", "go", args...).CombinedOutput()
		if err == nil {
			return file, nil
		}
		found := false
		for _, at := range compileError.FindAllStringSubmatch(string(out), -1) {
			for _, m := range sample {
				if !m.broken && filepath.Base(at[1]) == flat(m.file) && strconv.Itoa(m.line) == at[2] {
					m.broken, found = true, true
				}
			}
		}
		if !found {
			return "", fmt.Errorf("%w\n%s", err, out)
		}
	}
}

// survey runs each test of a suite alone, to see what it reaches.
func (b *bench) survey(ctx context.Context, suite, binary string) error {
	list, err := command(ctx, suite, binary, "-test.list", "^(Test|Example)").Output()
	if err != nil {
		return err
	}
	for _, name := range strings.Fields(string(list)) {
		t := &test{suite: suite, name: name, binary: binary, reaches: map[int]bool{}}
		reached := filepath.Join(b.dir, "reached")
		_ = os.Remove(reached) // it may not be there
		began := time.Now()
		out, err := b.run(ctx, t, b.slowest, "MUTANT_REACHED="+reached)
		t.took = time.Since(began)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			fmt.Printf("left out  %s %s: it fails without a mutant, or takes longer than %v\n%s", suite, name, b.slowest, tail(out))
			continue
		}
		text, _ := os.ReadFile(reached) // no file where nothing is reached
		for _, n := range strings.Fields(string(text)) {
			number, _ := strconv.Atoi(n)
			t.reaches[number] = true
		}
		b.tests = append(b.tests, t)
	}
	return nil
}

func tail(out []byte) []byte { return out[max(0, len(out)-300):] }

// run runs one test.
func (b *bench) run(ctx context.Context, t *test, most time.Duration, env string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	cmd := command(ctx, t.suite, t.binary, "-test.run", "^"+t.name+"$", "-test.failfast")
	cmd.Env = append(os.Environ(), env)
	return cmd.CombinedOutput()
}

// kill is the first test that fails on a mutant, or "".
func (b *bench) kill(ctx context.Context, m *mutant) (string, error) {
	for _, t := range b.tests {
		if !t.reaches[m.number] {
			continue
		}
		_, err := b.run(ctx, t, 5*time.Second+4*t.took, "MUTANT="+strconv.Itoa(m.number))
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		var failed *exec.ExitError
		switch {
		case errors.As(err, &failed):
			return t.name, nil
		case errors.Is(err, context.DeadlineExceeded):
			return t.name + " hangs", nil
		case err != nil:
			return "", err
		}
	}
	return "", nil
}

// reaching is how many tests reach a mutant.
func (b *bench) reaching(m *mutant) int {
	n := 0
	for _, t := range b.tests {
		if t.reaches[m.number] {
			n++
		}
	}
	return n
}

func command(ctx context.Context, dir, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// readArgued reads the survivors that are argued, with their reasons: a line
// of the form "file: function: change ## reason" for each.
func readArgued(name string) (map[string]string, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	argued := map[string]string{}
	for line := range bytes.Lines(text) {
		line := strings.TrimSpace(string(line))
		if line == "" || line[0] == '#' {
			continue
		}
		key, reason, ok := strings.Cut(line, " ## ")
		if !ok {
			return nil, fmt.Errorf("%s: %q has no reason: write it behind ##", name, line)
		}
		argued[key] = reason
	}
	return argued, nil
}
