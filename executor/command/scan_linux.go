package command

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	procDir = "/proc"
	// statBytes is more than a /proc/PID/stat has.
	statBytes = 4 << 10
	// maxEnviron bounds what is read of a process's environment, in bytes.
	maxEnviron = 8 << 20
)

// errStopped is the error of a look that was not waited for.
var errStopped = errors.New("the look at the processes was given up")

// scanner looks at all processes for all trees: who asks while it looks shares
// the next look with everybody else who does, so that N trees which end at once
// cost a few looks, and not N.
type scanner struct {
	// look lists the processes that live. It answers an error where some could
	// not be seen, which is not to say that they are not there.
	look func() ([]process, error)
	mark string         // of the server: NAME=value
	work sync.WaitGroup // of serve

	mu   sync.Mutex // protects what follows
	next *round     // what is asked for and has not begun
	busy bool       // serve is under way

	rested time.Time // when the next look may begin; serve's own

	reading sync.Mutex // protects what follows
	proc    *os.File   // /proc, open so that a look needs no descriptor for it; may be nil
	spare   *os.File   // given up for a moment where no other descriptor is to be had; may be nil
	buffer  bytes.Buffer
}

// round is one look at all processes.
type round struct {
	done  chan struct{} // closed when the rest may be read
	found []process
	err   error
}

// process is what a look has seen of a process that lives.
type process struct {
	pid    int
	parent int
	group  int
	start  string   // with the pid, it stands for one process only
	tasks  []string // its markers of tasks of this server: NAME=value
}

func newScanner(server string) *scanner {
	s := &scanner{mark: serverVar + "=" + server}
	s.look = s.lookAtAll
	s.reading.Lock()
	defer s.reading.Unlock()
	_ = s.openLocked() // a look tries again
	return s
}

// close is called when nobody looks any more.
func (s *scanner) close() {
	s.work.Wait()
	for _, f := range []*os.File{s.proc, s.spare} {
		if f != nil {
			f.Close()
		}
	}
}

// processes are those of a look that began after the call. It does not wait
// for it once stop is closed, or for longer than within; nil and 0 are no limit.
func (s *scanner) processes(stop <-chan struct{}, within time.Duration) ([]process, error) {
	r := s.ask()
	var late <-chan time.Time
	if within > 0 {
		late = time.After(within)
	}
	select {
	case <-r.done:
		return r.found, r.err
	case <-stop:
	case <-late:
	}
	return nil, errStopped
}

func (s *scanner) ask() *round {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next == nil {
		s.next = &round{done: make(chan struct{})}
	}
	if !s.busy {
		s.busy = true
		s.work.Go(s.serve)
	}
	return s.next
}

// serve looks until nobody asks. After each look it rests for as long as that
// took, so that those who are about to ask share the next, also on one CPU.
func (s *scanner) serve() {
	for {
		time.Sleep(time.Until(s.rested))
		r := s.take()
		if r == nil {
			return
		}
		began := time.Now()
		r.found, r.err = s.look()
		ended := time.Now()
		s.rested = ended.Add(ended.Sub(began))
		close(r.done)
	}
}

func (s *scanner) take() *round {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.next
	s.next, s.busy = nil, r != nil
	return r
}

// lookAtAll reads /proc. Where there is none, nothing is seen.
func (s *scanner) lookAtAll() (found []process, blind error) {
	names, err := s.names()
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil || pid == os.Getpid() {
			continue
		}
		p, err := s.process(pid, true)
		switch {
		case err != nil:
			blind = err // the others still count
		case p != nil:
			found = append(found, *p)
		}
	}
	return found, blind
}

func (s *scanner) names() ([]string, error) {
	s.reading.Lock()
	defer s.reading.Unlock()
	if err := s.openLocked(); err != nil {
		return nil, blindness(err)
	}
	if _, err := s.proc.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("list the processes: %w", err)
	}
	names, err := s.proc.Readdirnames(-1)
	return names, blindness(err) // what was read before another error counts
}

// openLocked opens what is not open of /proc and the spare descriptor.
func (s *scanner) openLocked() (err error) {
	if s.proc == nil {
		if s.proc, err = os.Open(procDir); err != nil {
			return err
		}
	}
	if s.spare == nil {
		s.spare, _ = os.Open(procDir) // it is for later
	}
	return nil
}

// process is a process as it is now, or nil where it does not live. Its
// markers are read where they are wanted.
func (s *scanner) process(pid int, markers bool) (*process, error) {
	s.reading.Lock()
	defer s.reading.Unlock()
	dir := strconv.Itoa(pid)
	stat, err := s.readLocked(dir+"/stat", statBytes)
	if err != nil {
		return nil, err
	}
	p := parseStat(pid, stat)
	if p == nil || !markers || !s.readableLocked(dir) {
		return p, nil
	}
	env, err := s.readLocked(dir+"/environ", maxEnviron)
	if err != nil {
		return nil, err
	}
	p.tasks = tasksOf(env, s.mark)
	return p, nil
}

// readableLocked reports whether a process's markers count: another user's do
// not, but those of what changed its user count for root, who alone sees them.
func (s *scanner) readableLocked(dir string) bool {
	var st unix.Stat_t
	user := os.Geteuid()
	return user == 0 || unix.Fstatat(int(s.proc.Fd()), dir, &st, 0) == nil && int(st.Uid) == user
}

// readLocked reads a file below /proc, until the next read. One that may not
// be read, or whose process is gone, is empty.
func (s *scanner) readLocked(name string, limit int64) ([]byte, error) {
	if err := s.openLocked(); err != nil {
		return nil, blindness(err)
	}
	defer s.openLocked() // the spare one again, where it was needed
	fd, err := unix.Openat(int(s.proc.Fd()), name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if blindness(err) != nil && s.spare != nil {
		s.spare.Close()
		s.spare = nil
		fd, err = unix.Openat(int(s.proc.Fd()), name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	}
	if err != nil {
		return nil, blindness(err)
	}
	f := os.NewFile(uintptr(fd), name)
	s.buffer.Reset()
	_, err = s.buffer.ReadFrom(io.LimitReader(f, limit))
	f.Close()
	return s.buffer.Bytes(), blindness(err) // what was read before another error counts
}

// blindness is an error that says nothing about a process, or nil: with the
// others, the process is gone, or not ours.
func blindness(err error) error {
	switch {
	case errors.Is(err, unix.EMFILE), errors.Is(err, unix.ENFILE), errors.Is(err, unix.ENOMEM):
		return fmt.Errorf("look at the processes: %w", err)
	}
	return nil
}

// tasksOf are the markers of tasks among NUL-separated variables that have the
// marker of the server.
func tasksOf(env []byte, server string) (tasks []string) {
	if !bytes.Contains(env, []byte(server)) {
		return nil // most processes
	}
	ours := false
	for v := range bytes.SplitSeq(env, []byte{0}) {
		if string(v) == server {
			ours = true
		} else if bytes.HasPrefix(v, []byte(taskVar+"=")) {
			tasks = append(tasks, string(v))
		}
	}
	if !ours {
		return nil
	}
	return tasks
}

// Where fields are in /proc/PID/stat, counted from what follows the name.
const (
	statState   = 0
	statParent  = 1
	statGroup   = 2
	statThreads = 17
	statStart   = 19
)

// parseStat is a process that lives, or nil. A zombie does not, unless it has
// threads that are still on their way out.
func parseStat(pid int, stat []byte) *process {
	// the name ends with the last parenthesis, and may have anything in it
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) <= statStart {
		return nil
	}
	parent, err := strconv.Atoi(fields[statParent])
	if err != nil {
		return nil
	}
	group, err := strconv.Atoi(fields[statGroup])
	if err != nil {
		return nil
	}
	switch fields[statState] {
	case "X", "x":
		return nil
	case "Z":
		if fields[statThreads] == "0" || fields[statThreads] == "1" {
			return nil
		}
	}
	return &process{pid: pid, parent: parent, group: group, start: fields[statStart]}
}
