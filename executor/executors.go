package executor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/jobline/jobline/schema"
)

// Directory is what a store that processes share is, too: it knows them.
type Directory interface {
	// Executors answers the processes that have joined, sorted by name.
	Executors(ctx context.Context) ([]schema.ExecutorInfo, error)
}

// Executors answers the processes that run tasks of the store, sorted by name.
func (e *Executor) Executors(ctx context.Context) ([]schema.ExecutorInfo, error) {
	if d, shared := e.store.(Directory); shared {
		return d.Executors(ctx)
	}
	running := 0
	for i := range e.workers {
		if e.workers[i].busy() {
			running++
		}
	}
	host, _ := os.Hostname() // without a name it is shown as none
	now := schema.Now()
	return []schema.ExecutorInfo{{
		Name: e.options.Name, Host: host, PID: os.Getpid(), Self: true, Limit: e.options.Limit, Types: slices.Sorted(slices.Values(e.runnable())), Labels: e.options.Labels, Running: running,
		Since: schema.TimeOf(e.began), BeatAt: now,
	}}, nil
}

// ExecutorsNamed answers those of all executors that a text names: by their name, else by their machine
// and process number, as ProcessName does, else by their machine alone. It answers several where
// several have the name, or are on the machine.
func ExecutorsNamed(text string, all []schema.ExecutorInfo) []schema.ExecutorInfo {
	for _, is := range []func(schema.ExecutorInfo) bool{
		func(i schema.ExecutorInfo) bool { return i.Name == text },
		func(i schema.ExecutorInfo) bool { return processOf(&i) == text },
		func(i schema.ExecutorInfo) bool { return i.Host == text },
	} {
		found := slices.DeleteFunc(slices.Clone(all), func(i schema.ExecutorInfo) bool { return !is(i) })
		if len(found) > 0 {
			return found
		}
	}
	return nil
}

// MaxExecutorName is the longest name of an executor, in bytes.
const MaxExecutorName = 64

// CheckExecutorName says what is wrong with a name that a person gives an executor. The default name
// has a slash, so that nobody can take it.
func CheckExecutorName(name string) error {
	for i, r := range name {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', i > 0 && (r == '-' || r == '_' || r == '.'):
		default:
			return fmt.Errorf("%q has %q at byte %d; want letters and digits of ASCII, and behind the first also - _ and ., as build-1", schema.Cut(name), r, i+1)
		}
	}
	switch {
	case name == "":
		return errors.New("the name is empty; give one, as build-1, or leave it out")
	case len(name) > MaxExecutorName:
		return fmt.Errorf("%q has %d bytes; want at most %d", schema.Cut(name), len(name), MaxExecutorName)
	}
	return nil
}

// ProcessName is what this process is called where nobody gives it a name: by its machine and its
// number there.
func ProcessName() string {
	host, _ := os.Hostname()
	return processOf(&schema.ExecutorInfo{Host: host, PID: os.Getpid()})
}

func processOf(i *schema.ExecutorInfo) string { return fmt.Sprintf("%s/%d", i.Host, i.PID) }
