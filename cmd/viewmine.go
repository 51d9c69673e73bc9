package cmd

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/google/uuid"
	"github.com/spf13/pflag"

	"github.com/jobline/jobline/rpc/socket"
)

// mostMine bounds the tasks of one program that have not ended. A program is not told of the ends
// of those that it submits beyond.
const mostMine = 10_000

// plainName is what the name of a program may be: it becomes a part of the name of a file.
var plainName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9 ._]*$`)

// viewerName is a flag with the name of a program.
func viewerName(to *string) pflag.Value {
	*to = "viewer"
	return &flagValue[string]{to, func(text string) (string, error) {
		if !plainName.MatchString(text) {
			return "", errors.New("want letters, digits, spaces, dots and underscores")
		}
		return text, nil
	}, func(name string) string { return name }, "name"}
}

// ownTasks are the tasks that a program has submitted and that have not ended as far as it knows.
// They are in a file whose lock this process has, so that the next start of the program finds them
// where this one was killed. It can be used by several goroutines.
type ownTasks struct {
	folder, file string
	prefix       string

	mu   sync.Mutex
	left map[uuid.UUID]bool // whether the end of each is only counted, as the program was away
	lock *socket.Lock       // of the file; nil before there is one
}

func newOwnTasks(state, name string) *ownTasks {
	m := &ownTasks{left: map[uuid.UUID]bool{}, prefix: name + "-"}
	if state != "" {
		m.folder = filepath.Join(state, "viewers")
		m.file = filepath.Join(m.folder, fmt.Sprintf("%s%d", m.prefix, os.Getpid()))
	}
	return m
}

// adopt takes over the tasks of earlier starts of the program. What cannot be read is left out.
func (m *ownTasks) adopt() {
	m.mu.Lock()
	defer m.mu.Unlock()
	entries, _ := os.ReadDir(m.folder) // there is none before the first task
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), m.prefix) {
			continue
		}
		path := filepath.Join(m.folder, e.Name())
		lock, err := socket.TryLock(path)
		if err != nil || lock == nil { // a program that runs has it
			continue
		}
		text, _ := os.ReadFile(path)
		for word := range strings.FieldsSeq(string(text)) {
			if id, err := uuid.Parse(word); err == nil && len(m.left) < mostMine {
				m.left[id] = true
			}
		}
		if path == m.file { // of an earlier process with this number
			m.lock = lock
			continue
		}
		if len(m.left) == 0 || m.saveLocked() == nil {
			_ = os.Remove(path) // where it stays, it is read again
		}
		_ = lock.Release()
	}
}

// saveLocked writes the tasks to the file.
func (m *ownTasks) saveLocked() error {
	if m.file == "" {
		return nil
	}
	if m.lock == nil {
		if err := os.MkdirAll(m.folder, 0o700); err != nil {
			return err
		}
		lock, err := socket.TryLock(m.file)
		if err != nil {
			return err
		}
		m.lock = lock
	}
	var text strings.Builder
	for id := range m.left {
		fmt.Fprintln(&text, id)
	}
	return os.WriteFile(m.file, []byte(text.String()), 0o600)
}

// add adds a task that the program has submitted.
func (m *ownTasks) add(id uuid.UUID) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, known := m.left[id]; known || len(m.left) >= mostMine {
		return nil
	}
	m.left[id] = false
	if err := m.saveLocked(); err != nil {
		return fmt.Errorf("the next start will not know of the task: %w; %s", err, cureOfState)
	}
	return nil
}

// remove removes a task that has ended, and reports whether its end is only counted.
func (m *ownTasks) remove(id uuid.UUID) (left bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	left = m.left[id]
	delete(m.left, id)
	_ = m.saveLocked() // a task that stays there is counted once more
	return left
}

// leave says that the program does not see the ends of the tasks until the next connection.
func (m *ownTasks) leave() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id := range m.left {
		m.left[id] = true
	}
}

func (m *ownTasks) has(id uuid.UUID) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, has := m.left[id]
	return has
}

func (m *ownTasks) empty() bool { return len(m.ids()) == 0 }

// ids are the tasks, the oldest first.
func (m *ownTasks) ids() (ids []uuid.UUID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id := range m.left {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b uuid.UUID) int { return strings.Compare(string(a[:]), string(b[:])) })
	return ids
}

// close leaves the file to the next start, unless nothing is left.
func (m *ownTasks) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.lock == nil {
		return
	}
	if len(m.left) == 0 {
		_ = os.Remove(m.file) // an empty one is no trouble
	}
	_ = m.lock.Release()
}
