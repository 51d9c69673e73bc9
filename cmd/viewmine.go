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
// They are in a file that is this process's as long as it has a lock, so that the next start of the
// program finds them where this one was killed. It can be used by several goroutines.
type ownTasks struct {
	folder string
	file   string // with ownSuffix
	prefix string

	mu   sync.Mutex
	left map[uuid.UUID]bool // whether the end of each is only counted, as the program was away
	lock *socket.Lock       // nil before there is a file
}

// ownSuffix is what the name of a file with tasks ends with. The file of its lock lacks it: the lock
// of a file that another replaces is none.
const ownSuffix = ".tasks"

func newOwnTasks(state, name string) *ownTasks {
	m := &ownTasks{left: map[uuid.UUID]bool{}, prefix: name + "-"}
	if state != "" {
		m.folder = filepath.Join(state, "viewers")
		m.file = filepath.Join(m.folder, fmt.Sprintf("%s%d%s", m.prefix, os.Getpid(), ownSuffix))
	}
	return m
}

// adopt takes over the tasks of earlier starts of the program. What cannot be read is left out.
func (m *ownTasks) adopt() {
	m.mu.Lock()
	defer m.mu.Unlock()
	entries, _ := os.ReadDir(m.folder) // there is none before the first task
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), m.prefix) || !strings.HasSuffix(e.Name(), ownSuffix) {
			continue
		}
		path := filepath.Join(m.folder, e.Name())
		lock, err := socket.TryLock(strings.TrimSuffix(path, ownSuffix))
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
			removeOwn(path) // where it stays, it is read again
		}
		_ = lock.Release()
	}
}

// removeOwn removes a file with tasks, and that of its lock.
func removeOwn(path string) {
	_ = os.Remove(path)
	_ = os.Remove(strings.TrimSuffix(path, ownSuffix))
}

// saveLocked writes the tasks to the file, whole or not at all.
func (m *ownTasks) saveLocked() error {
	if m.file == "" {
		return nil
	}
	if m.lock == nil {
		if err := os.MkdirAll(m.folder, 0o700); err != nil {
			return err
		}
		lock, err := socket.TryLock(strings.TrimSuffix(m.file, ownSuffix))
		if err != nil {
			return err
		}
		m.lock = lock
	}
	var text strings.Builder
	for id := range m.left {
		fmt.Fprintln(&text, id)
	}
	return replaceFile(m.file, []byte(text.String()))
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
		removeOwn(m.file) // an empty one is no trouble
	}
	_ = m.lock.Release()
}
