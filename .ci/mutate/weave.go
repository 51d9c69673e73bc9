package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// switchFile is added to every package that is changed. A test that only looks
// which mutants are reached gets a file to note them in.
const switchFile = `package %s

import (
	"os"
	"strconv"
	"sync"
)

var (
	mutantNumber, _ = strconv.Atoi(os.Getenv("MUTANT"))
	mutantReached   = os.Getenv("MUTANT_REACHED")
	mutantsSeen     sync.Map
)

func mutantOn(n int) bool {
	if mutantReached != "" {
		if _, seen := mutantsSeen.LoadOrStore(n, true); !seen {
			if f, err := os.OpenFile(mutantReached, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600); err == nil {
				f.WriteString(strconv.Itoa(n) + "\n")
				f.Close()
			}
		}
	}
	return n == mutantNumber
}

func mutantBit(n int) uint {
	if mutantOn(n) {
		return 1
	}
	return 0
}

func mutantOff(n int) uint { return 1 - mutantBit(n) }

func mutantErr(n int, err error) error {
	if mutantOn(n) {
		return nil
	}
	return err
}
`

// insertion is text that goes before an offset.
type insertion struct {
	at    int
	text  string
	order [3]int // among those at one offset
}

// woven is the text of a file with its mutants.
func woven(source string, mutants []*mutant) string {
	var all []insertion
	for _, m := range mutants {
		before, after := m.before, m.after
		if strings.Contains(before, "%d") {
			before = fmt.Sprintf(before, m.number)
		}
		if strings.Contains(after, "%d") {
			after = fmt.Sprintf(after, m.number)
		}
		// Ends come first, the inner ones before the outer, then beginnings, the
		// outer ones before the inner.
		all = append(all,
			insertion{m.start, before, [3]int{1, -m.end, -m.number}},
			insertion{m.end, after, [3]int{0, -m.start, m.number}})
	}
	slices.SortFunc(all, func(a, b insertion) int {
		if a.at != b.at {
			return a.at - b.at
		}
		return slices.Compare(a.order[:], b.order[:])
	})
	var b strings.Builder
	last := 0
	for _, i := range all {
		b.WriteString(source[last:i.at])
		b.WriteString(i.text)
		last = i.at
	}
	b.WriteString(source[last:])
	return b.String()
}

// flat is the name under which a changed file is written, and named in errors.
func flat(file string) string { return strings.ReplaceAll(file, string(filepath.Separator), "_") }

// overlay writes the changed files to a directory, and the file that lets go
// build take them in place of the tree's.
func overlay(dir string, sample []*mutant, packages []string) (string, error) {
	replace := map[string]string{}
	put := func(file, text string) error {
		to := filepath.Join(dir, flat(file))
		absolute, err := filepath.Abs(file)
		replace[absolute] = to
		if err != nil {
			return err
		}
		return os.WriteFile(to, []byte(text), 0o600)
	}
	for _, p := range packages {
		if err := put(filepath.Join(p, "zz_mutant.go"), fmt.Sprintf(switchFile, filepath.Base(p))); err != nil {
			return "", err
		}
	}
	byFile := map[string][]*mutant{}
	for _, m := range sample {
		if !m.broken {
			byFile[m.file] = append(byFile[m.file], m)
		}
	}
	for file, mutants := range byFile {
		source, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		if err := put(file, woven(string(source), mutants)); err != nil {
			return "", err
		}
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, "overlay.json")
	return name, os.WriteFile(name, text, 0o600)
}
