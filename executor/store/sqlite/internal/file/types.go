package file

import (
	"errors"
	"sync"

	"github.com/ncruces/go-sqlite3"
)

// Types are the names of the task types with their numbers in the file. The
// committer adds to them; everybody reads.
type Types struct {
	mu      sync.RWMutex
	numbers map[string]int64
	names   map[int64]string
}

// NewTypes makes an empty table of types, which Load fills.
func NewTypes() *Types {
	return &Types{numbers: map[string]int64{}, names: map[int64]string{}}
}

// Add notes the number of a type.
func (t *Types) Add(name string, number int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.numbers[name], t.names[number] = number, name
}

// Drop forgets what a transaction has added that failed.
func (t *Types) Drop(names []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, name := range names {
		delete(t.names, t.numbers[name])
		delete(t.numbers, name)
	}
}

// Number is that of a name, and whether there is one.
func (t *Types) Number(name string) (int64, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	n, ok := t.numbers[name]
	return n, ok
}

// errNoType says that a row has a type which the file does not have.
var errNoType = errors.New("the file has no such task type")

// name is that of a number. One that is not known was added just now, or it is
// errNoType.
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

// Load reads all types that the file has.
func (t *Types) Load(c *Conn) error {
	return c.Query("SELECT type, name FROM type", func(row *sqlite3.Stmt) error {
		t.Add(row.ColumnText(1), row.ColumnInt64(0))
		return nil
	})
}
