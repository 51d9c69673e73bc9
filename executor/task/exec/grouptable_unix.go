//go:build unix

package exec

import (
	"fmt"
	"os"
	"strconv"
	"sync"
)

const (
	// slotBytes is the length of a line of a table: the number of a process group and
	// spaces, or only spaces. Each line is written at once.
	slotBytes = 11
	// maxSlots bounds how many groups are in a table at once. The guard finds the
	// processes of further commands by their environment alone.
	maxSlots = 1 << 16
	noSlot   = -1
)

// groupTable lists the process groups of the commands that run. It is a file
// without a name, which the guard has open, too.
type groupTable struct {
	file *os.File

	mu   sync.Mutex // protects what follows
	free []int64    // slots that were used and are free again
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

// add enters a process group and returns its slot. A nil table has none.
func (t *groupTable) add(group int) (slot int64) {
	if t == nil {
		return noSlot
	}
	if slot = t.acquire(); slot == noSlot {
		return noSlot
	}
	if !t.write(slot, strconv.Itoa(group)) {
		t.release(slot)
		return noSlot
	}
	return slot
}

// remove takes a process group out; it is called before another process can
// have that number. Overwriting what is in memory already does not fail. If it
// did, the slot would not be used again.
func (t *groupTable) remove(slot int64) {
	if t != nil && slot != noSlot && t.write(slot, "") {
		t.release(slot)
	}
}

func (t *groupTable) write(slot int64, text string) bool {
	line := [slotBytes]byte([]byte("          \n"))
	copy(line[:slotBytes-1], text)
	_, err := t.file.WriteAt(line[:], slot*slotBytes)
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
