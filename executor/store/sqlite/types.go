package sqlite

import (
	"errors"
	"sync"

	"github.com/ncruces/go-sqlite3"
)

// types are the names of the task types with their numbers in the file. The
// committer adds to them; everybody reads.
type types struct {
	mu      sync.RWMutex
	numbers map[string]int64
	names   map[int64]string
}

func (t *types) init() { t.numbers, t.names = map[string]int64{}, map[int64]string{} }

func (t *types) add(name string, number int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.numbers[name], t.names[number] = number, name
}

// drop forgets what a transaction has added that failed.
func (t *types) drop(names []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, name := range names {
		delete(t.names, t.numbers[name])
		delete(t.numbers, name)
	}
}

// number is that of a name, and whether there is one.
func (t *types) number(name string) (int64, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	n, ok := t.numbers[name]
	return n, ok
}

// errNoType says that a row has a type which the file does not have.
var errNoType = errors.New("the file has no such task type")

// name is that of a number. One that is not known was added just now, or it is
// errNoType.
func (t *types) name(c *conn, number int64) (string, error) {
	t.mu.RLock()
	name, ok := t.names[number]
	t.mu.RUnlock()
	if ok {
		return name, nil
	}
	if err := t.load(c); err != nil {
		return "", err
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	if name, ok = t.names[number]; !ok {
		return "", errNoType
	}
	return name, nil
}

func (t *types) load(c *conn) error {
	return c.query("SELECT type, name FROM type", func(row *sqlite3.Stmt) error {
		t.add(row.ColumnText(1), row.ColumnInt64(0))
		return nil
	})
}
