//go:build unix

package exec

import (
	"fmt"
	"os"
	"sync"
)

const (
	// slotFormat is one line of a table: the number of a group and spaces, or
	// only spaces. No line is ever seen half written.
	slotFormat = "%-10s\n"
	slotBytes  = 11
	// maxSlots bounds how many groups are in a table at once. What is past it
	// runs, but only its markers tell the guard of it.
	maxSlots = 1 << 16
	noSlot   = -1
)

// table is the list of the groups that live, in a file without a name that
// the guard has open, too.
type groupTable struct {
	file *os.File

	mu   sync.Mutex // protects what follows
	free []int64    // slots that were used and are empty
	used int64
}

// newGroupTable makes an empty table.
func newGroupTable() (*groupTable, error) {
	file, err := anonymousFile()
	if err != nil {
		return nil, fmt.Errorf("the table of the guard: %w", err)
	}
	return &groupTable{file: file}, nil
}

// add enters a group and answers where. A nil table takes nothing.
func (t *groupTable) add(group int) (slot int64) {
	if t == nil {
		return noSlot
	}
	if slot = t.acquire(); slot == noSlot {
		return noSlot
	}
	if !t.write(slot, fmt.Sprint(group)) {
		t.release(slot)
		return noSlot
	}
	return slot
}

// remove takes a group out before its number can be anybody else's. Writing
// over what is in memory already does not fail; if it did, the slot stays out
// of use.
func (t *groupTable) remove(slot int64) {
	if t != nil && slot != noSlot && t.write(slot, "") {
		t.release(slot)
	}
}

func (t *groupTable) write(slot int64, text string) bool {
	_, err := t.file.WriteAt(fmt.Appendf(nil, slotFormat, text), slot*slotBytes)
	return err == nil
}

func (t *groupTable) acquire() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := len(t.free); n > 0 {
		slot := t.free[n-1]
		t.free = t.free[:n-1]
		return slot
	}
	if t.used == maxSlots {
		return noSlot
	}
	t.used++
	return t.used - 1
}

func (t *groupTable) release(slot int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.free = append(t.free, slot)
}

func (t *groupTable) close() { t.file.Close() }
