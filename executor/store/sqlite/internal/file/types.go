package file

import (
	"errors"
	"sync"

	"github.com/ncruces/go-sqlite3"
)

// Types maps the names of task types to their numbers in the file, and back. The committer
// adds to it. It is safe for concurrent use.
type Types struct {
	mu      sync.RWMutex
	numbers map[string]int64
	names   map[int64]string
}

// NewTypes makes an empty map of types. Load fills it.
func NewTypes() *Types {
	return &Types{numbers: map[string]int64{}, names: map[int64]string{}}
}

// Add notes the number of a type.
func (t *Types) Add(name string, number int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.numbers[name], t.names[number] = number, name
}

// Drop removes the types that a failed transaction has added.
func (t *Types) Drop(names []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, name := range names {
		delete(t.names, t.numbers[name])
		delete(t.numbers, name)
	}
}

// Number is the number of the type with a name, and whether the file has that type.
func (t *Types) Number(name string) (int64, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	n, ok := t.numbers[name]
	return n, ok
}

// errNoType says that a row has the number of a type that is not in the file.
var errNoType = errors.New("the file has no such task type")

// name is the name of the type with a number. If the number is unknown, name reads the file again,
// because the type may be new. The error is errNoType if the file does not have it either.
func (t *Types) name(c *Conn, number int64) (string, error) {
	t.mu.RLock()
	name, ok := t.names[number]
	t.mu.RUnlock()
	if ok {
		return name, nil
	}
	if err := t.Load(c); err != nil {
		return "", err
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	if name, ok = t.names[number]; !ok {
		return "", errNoType
	}
	return name, nil
}

// Load reads all types of the file.
func (t *Types) Load(c *Conn) error {
	return c.Query("SELECT type, name FROM type", func(row *sqlite3.Stmt) error {
		t.Add(row.ColumnText(1), row.ColumnInt64(0))
		return nil
	})
}
