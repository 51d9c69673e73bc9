package disk

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// BegunDir is a directory in memory that all processes share. What a process writes
// there survives the process, also a kill, and does not survive the system.
const BegunDir = "/dev/shm"

// Begun is a file in memory that notes which tasks have begun before their starts are
// recorded in the store. To write it takes no disk. Its name in the store, a random one,
// says to which store and to which process the notes belong: a copy of the store, or a
// store after a restart of the system, has a name of which there are no notes. It is not
// safe for concurrent use.
type Begun struct {
	file *os.File
	name string
	// noted are the tasks of the slots of the file; 0 is a free one.
	noted []int64
}

// slotBytes is how many bytes of the file a note takes: the task, a time, and how many
// transactions the store had.
const slotBytes = 24

// CreateBegun makes the file of a store that this process has locked, in the place of
// an earlier one, with room for so many notes.
func CreateBegun(dir string, store fs.FileInfo, notes int) (*Begun, error) {
	path, err := begunPath(dir, store)
	if err != nil {
		return nil, err
	}
	var of unix.Statfs_t
	if err := unix.Statfs(dir, &of); err != nil {
		return nil, &fs.PathError{Op: "statfs", Path: dir, Err: err}
	}
	if of.Type != unix.TMPFS_MAGIC {
		return nil, fmt.Errorf("%s is not in memory", dir)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	b := &Begun{file: f, name: rand.Text(), noted: make([]int64, notes)}
	// All of it is written now, so that a note needs no more memory.
	if _, err := f.WriteAt(append([]byte(b.name), make([]byte, notes*slotBytes)...), 0); err != nil {
		return nil, errors.Join(err, b.Remove())
	}
	return b, nil
}

// begunPath is where the notes of a store are. Only its user can replace them.
func begunPath(dir string, store fs.FileInfo) (string, error) {
	st, ok := store.Sys().(*syscall.Stat_t)
	if !ok {
		return "", errors.ErrUnsupported
	}
	return filepath.Join(dir, fmt.Sprintf("jobline-%d-%x-%x", os.Getuid(), st.Dev, st.Ino)), nil
}

// Name is by which the store knows the notes.
func (b *Begun) Name() string { return b.name }

// Note notes that a task begins, when, and how many transactions the store has on the disk:
// by these, ReadBegun knows a store that is older than the notes. It reports false where it
// could not: then the task must not begin.
func (b *Begun) Note(task, at, commits int64) bool {
	for i, of := range b.noted {
		if of != 0 {
			continue
		}
		var slot [slotBytes]byte
		binary.LittleEndian.PutUint64(slot[:], uint64(task))
		binary.LittleEndian.PutUint64(slot[8:], uint64(at))
		binary.LittleEndian.PutUint64(slot[16:], uint64(commits))
		if _, err := b.file.WriteAt(slot[:], int64(len(b.name)+i*slotBytes)); err != nil {
			return false
		}
		b.noted[i] = task
		return true
	}
	return false
}

// Forget gives the room of a note back, when the store has recorded the start. The next note
// there has more transactions than the store had before.
func (b *Begun) Forget(task int64) {
	for i, of := range b.noted {
		if of == task {
			b.noted[i] = 0
			return
		}
	}
}

// Remove removes the file, where nobody else has done so.
func (b *Begun) Remove() error {
	return errors.Join(RemoveIfExists(b.file.Name()), b.file.Close())
}

// ReadBegun reads the notes of a store by their name, from a file with room for so many:
// each task that has begun, and when. It reports false where there is no such file, and where
// the store has fewer transactions than a note says. Then it is an earlier state of the store,
// as a backup is that was put back, and notes of tasks that had begun then may be gone.
func ReadBegun(dir string, store fs.FileInfo, name string, notes int, commits int64) (begun map[int64]int64, found bool) {
	path, err := begunPath(dir, store)
	if err != nil {
		return nil, false
	}
	text, err := readOwn(path, len(name)+notes*slotBytes)
	slots, found := bytes.CutPrefix(text, []byte(name))
	if err != nil || !found || name == "" {
		return nil, false
	}
	begun = map[int64]int64{}
	for ; len(slots) > 0; slots = slots[slotBytes:] {
		if int64(binary.LittleEndian.Uint64(slots[16:])) > commits {
			return nil, false
		}
		if task := int64(binary.LittleEndian.Uint64(slots)); task != 0 {
			begun[task] = int64(binary.LittleEndian.Uint64(slots[8:]))
		}
	}
	return begun, true
}

// readOwn reads a file of so many bytes. Others may have made something by its name, so it
// must be a plain file of this user.
func readOwn(path string, size int) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() != int64(size) || info.Sys().(*syscall.Stat_t).Uid != uint32(os.Getuid()) {
		return nil, &fs.PathError{Op: "read", Path: path, Err: fs.ErrPermission}
	}
	text := make([]byte, size)
	_, err = io.ReadFull(f, text)
	return text, err
}

// RemoveBegun removes the notes that a process has left that was killed.
func RemoveBegun(dir string, store fs.FileInfo) {
	if path, err := begunPath(dir, store); err == nil {
		_ = os.Remove(path) // the next ones take its place, or have no place
	}
}
