package sqlite

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor/store/sqlite/faultvfs"
)

// The sizes in a write-ahead log (sqlite.org/fileformat2.html#walformat).
const (
	walHeader   = 32
	frameHeader = 24
	frameSize   = frameHeader + smallPage
)

// leftLog is a file with the write-ahead log that a killed process has left.
type leftLog struct {
	path, vfs string
	main, wal []byte
	commits   []int                  // where in the log each transaction ends
	history   []map[uuid.UUID]string // what is shown after none of them, one, …
}

func newLeftLog(t *testing.T) *leftLog {
	l := &leftLog{path: filepath.Join(t.TempDir(), "tasks.db"), vfs: faultvfs.New(t, faultvfs.Options{}).Name()}
	live := filepath.Join(t.TempDir(), "live.db")
	makeSmall(t, live)
	s, err := Open(t.Context(), Options{Path: live, VFS: l.vfs})
	require.NoError(t, err)
	defer s.Close()
	fillSmall(t, s)
	l.main, err = os.ReadFile(live)
	require.NoError(t, err)
	l.wal, err = os.ReadFile(live + "-wal")
	require.NoError(t, err)
	for at := walHeader; at+frameSize <= len(l.wal); at += frameSize {
		if binary.BigEndian.Uint32(l.wal[at+4:]) != 0 { // the size of the file after a commit
			l.commits = append(l.commits, at+frameSize)
		}
	}
	require.Greater(t, len(l.commits), 10)
	for _, end := range append([]int{0}, l.commits...) {
		shows, err := l.show(t, l.wal[:end])
		require.NoError(t, err)
		l.history = append(l.history, shows)
	}
	require.NotEqual(t, l.history[0], l.history[len(l.history)-1])
	return l
}

// show opens the file with a log.
func (l *leftLog) show(t *testing.T, wal []byte) (shows map[uuid.UUID]string, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v", v)
		}
	}()
	if err := os.Remove(l.path + "-shm"); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	if err := errors.Join(os.WriteFile(l.path, l.main, 0o600), os.WriteFile(l.path+"-wal", wal, 0o600)); err != nil {
		return nil, err
	}
	s, err := Open(t.Context(), Options{Path: l.path, VFS: l.vfs})
	if err != nil {
		return nil, err
	}
	found, err := everything(t.Context(), s)
	return texts(found), errors.Join(err, s.Close())
}

// expect checks a log that is as it was up to a place: it is read up to the
// last transaction that ends before.
func (l *leftLog) expect(t *testing.T, wal []byte, sound int) {
	t.Helper()
	n := 0
	for n < len(l.commits) && l.commits[n] <= sound {
		n++
	}
	shows, err := l.show(t, wal)
	require.NoError(t, err)
	require.True(t, maps.Equal(l.history[n], shows), "sound up to %d of %d: %v, and not %v", sound, len(l.wal), shows, l.history[n])
}

// TestCutLog takes a log that ends too early up to its last whole transaction.
func TestCutLog(t *testing.T) {
	t.Parallel()
	l, random := newLeftLog(t), newRandom(t)
	for n := range l.wal {
		if *thorough || random.IntN(damageShare) == 0 {
			l.expect(t, l.wal[:n], n)
		}
	}
}

// TestFlippedBitInLog takes a log with one wrong bit up to the transaction
// before it.
func TestFlippedBitInLog(t *testing.T) {
	t.Parallel()
	l, random := newLeftLog(t), newRandom(t)
	for bit := range len(l.wal) * 8 {
		if *thorough || random.IntN(8*damageShare) == 0 {
			wal := bytes.Clone(l.wal)
			wal[bit/8] ^= 1 << (bit % 8)
			sound := 0
			if at := bit / 8; at >= walHeader {
				sound = walHeader + (at-walHeader)/frameSize*frameSize
			}
			l.expect(t, wal, sound)
		}
	}
}
