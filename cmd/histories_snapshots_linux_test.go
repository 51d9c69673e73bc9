package cmd

import (
	"bytes"
	"os"
	"path/filepath"

	"github.com/google/uuid"
	natsgo "github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"
)

// watchedSnapshots is what is seen of snapshots while they are stored.
type watchedSnapshots struct {
	left   int // messages of a snapshot until its maker is killed; -1 is that none is
	killed int // makers
}

// killMaker lets a server be killed that makes a snapshot, behind so many messages of it.
func (w *watchedLog) killMaker(behind int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.snapshots.left = behind
}

// piece takes a message of a snapshot. Who has written it is not in it: it is the first of those that live, by
// their ids.
func (w *watchedLog) piece(_ *natsgo.Msg, kills func(pid int) bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := &w.snapshots
	if s.left--; s.left >= 0 || s.left < -1 {
		s.left = max(s.left, -1)
		return
	}
	for from := w.firstWriter(); from != nil; from = w.firstWriter() {
		if kills(from.pid) {
			s.killed++
			return
		}
		from.passed = true
	}
	s.left = 0 // nobody is known yet
}

// firstWriter is the first of the writers that live, or nil.
func (w *watchedLog) firstWriter() (first *logWriter) {
	var its uuid.UUID
	for id, from := range w.writers {
		if !from.gone && !from.passed && from.pid != 0 && (first == nil || bytes.Compare(id[:], its[:]) < 0) {
			its, first = id, from
		}
	}
	return first
}

// checkSnapshots: servers have made snapshots, one was killed while it did, and servers have begun with one.
func (h *trial) checkSnapshots(counts map[string]int) {
	files, err := filepath.Glob(filepath.Join(h.folder, "server*.log"))
	require.NoError(h, err)
	const made, read, gap = "snapshots that were made", "starts with a snapshot", "servers that ended because they found a gap"
	for _, name := range files {
		text, err := os.ReadFile(name)
		require.NoError(h, err)
		counts[made] += bytes.Count(text, []byte("a snapshot of the store is made"))
		counts[read] += bytes.Count(text, []byte("a snapshot of the store is read"))
		for line := range bytes.Lines(text) {
			if !bytes.Contains(line, []byte("the store can do nothing more")) {
				continue
			}
			counts[gap]++
			if !bytes.Contains(line, []byte("entries of the log are gone")) {
				h.violates("a server has ended by itself: %s", line)
			}
		}
	}
	counts["servers that were killed while they made a snapshot"] = h.log.snapshots.killed
	require.Greater(h, counts[made], 1)
	require.Positive(h, counts[read])
	require.Positive(h, h.log.snapshots.killed)
}
