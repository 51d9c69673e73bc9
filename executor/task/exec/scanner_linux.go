package exec

import (
	"bytes"
	"errors"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// statBytes is more than a /proc/PID/stat has.
	statBytes = 4 << 10
	// maxListings bounds how often one look lists the processes, where others start
	// some all the time.
	maxListings = 16
	// maxEnviron bounds what is read of a process's environment, in bytes.
	maxEnviron = 8 << 20
)

// errScanAbandoned is the error of a look that was not waited for.
var errScanAbandoned = errors.New("the look at the processes was given up")

// scanner looks at all processes for all trees: who asks while it looks shares
// the next look with everybody else who does, so that N trees which end at once
// cost a few looks, and not N.
type scanner struct {
	// look lists the processes that live. It answers an error where some could
	// not be seen, which is not to say that they are not there.
	look   func() ([]process, error)
	server string         // its id
	work   sync.WaitGroup // of serve

	mu   sync.Mutex // protects what follows
	next *scan      // what is asked for and has not begun
	busy bool       // serve is under way

	rested time.Time // when the next look may begin; serve's own

	proc procfs
}

// round is one look at all processes.
type scan struct {
	done  chan struct{} // closed when the rest may be read
	found []process
	err   error
}

// process is what a look has seen of a process that lives.
type process struct {
	pid    int
	parent int
	group  int
	// session is 0 where only the cgroup has told of it.
	session  int
	start    string   // with the pid, it stands for one process only
	keys     []string // of the commands of this server that it is of
	envEmpty bool     // its environment was to be read, and was empty
	inCgroup bool     // it is in the cgroup of the tree that asks; start may be unknown then
}

func newScanner(server string) *scanner {
	s := &scanner{server: server, proc: procfs{root: procDir}}
	s.look = s.scanAll
	_ = s.proc.visibility() // opens it, while there are descriptors
	return s
}

// close is called when nobody looks any more.
func (s *scanner) close() {
	s.work.Wait()
	s.proc.close()
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
	return nil, errScanAbandoned
}

func (s *scanner) ask() *scan {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next == nil {
		s.next = &scan{done: make(chan struct{})}
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
		r := s.acquire()
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

func (s *scanner) acquire() *scan {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.next
	s.next, s.busy = nil, r != nil
	return r
}

// scanAll reads /proc.
func (s *scanner) scanAll() (found []process, blind error) {
	seen := map[int]bool{os.Getpid(): true}
	// A process may fork and exit between the list and its turn. Where a later
	// list has nobody new, all who live were seen while they did.
	for range maxListings {
		pids, err := s.proc.pids()
		if err != nil {
			return found, err
		}
		before := len(seen)
		for _, pid := range pids {
			if seen[pid] {
				continue
			}
			seen[pid] = true
			p, err := s.process(pid, true)
			switch {
			case err != nil:
				blind = err // the others still count
			case p != nil:
				found = append(found, *p)
			}
		}
		if all := s.rereadEmptyEnvirons(found); all && len(seen) == before {
			break
		}
	}
	return found, blind
}

// rereadEmptyEnvirons reads the environments that were empty again: that of a process
// is so for a moment while it executes a program. It answers false where one has
// ended, which may have started others. Processes of the system, which have
// none, are in no group.
func (s *scanner) rereadEmptyEnvirons(found []process) (all bool) {
	all = true
	for i := range found {
		p := &found[i]
		if !p.envEmpty || p.group == 0 {
			continue
		}
		now, err := s.process(p.pid, true)
		switch {
		case err != nil:
		case now != nil && now.start == p.start:
			*p = *now
		default:
			p.envEmpty, all = false, false
		}
	}
	return all
}

// process is a process as it is now, or nil where it does not live. Its
// markers are read where they are wanted.
func (s *scanner) process(pid int, markers bool) (p *process, err error) {
	read := func(stat []byte) { p = parseStat(pid, stat) }
	if err := s.proc.read(pid, "stat", statBytes, read); err != nil || p == nil || !markers || !s.proc.ours(pid) {
		return p, err
	}
	err = s.proc.read(pid, "environ", maxEnviron, func(env []byte) {
		p.keys, p.envEmpty = commandKeys(env, s.server), len(env) == 0
	})
	if err != nil {
		return nil, err
	}
	return p, nil
}

// commandKeys are the keys of a server's commands that are in an environment, which is
// NUL-separated variables.
func commandKeys(env []byte, server string) (keys []string) {
	if !bytes.Contains(env, []byte(server)) {
		return nil // most processes
	}
	for v := range bytes.SplitSeq(env, []byte{0}) {
		value, ok := strings.CutPrefix(string(v), serverVar+"=")
		if !ok {
			continue
		}
		for key := range strings.SplitSeq(value, keySlash) {
			if strings.HasPrefix(key, server+keyDot) {
				keys = append(keys, key)
			}
		}
	}
	return keys
}

// Where fields are in /proc/PID/stat, counted from what follows the name.
const (
	statState  = 0
	statParent = 1
	// the group and the session follow the parent
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
	var numbers [3]int // parent, group, session
	for i := range numbers {
		var err error
		if numbers[i], err = strconv.Atoi(fields[statParent+i]); err != nil {
			return nil
		}
	}
	switch fields[statState] {
	case "X", "x":
		return nil
	case "Z":
		if fields[statThreads] == "0" || fields[statThreads] == "1" {
			return nil
		}
	}
	return &process{
		pid: pid, parent: numbers[0], group: numbers[1], session: numbers[2], start: fields[statStart],
	}
}
