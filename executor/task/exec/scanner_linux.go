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
	// statBytes is more than the size of any /proc/PID/stat.
	statBytes = 4 << 10
	// maxListings bounds how often one look lists the processes, where others start
	// some all the time.
	maxListings = 16
	// maxEnviron bounds what is read of a process's environment, in bytes.
	maxEnviron = 8 << 20
)

// errScanAbandoned means that a caller has not waited for the end of a scan.
var errScanAbandoned = errors.New("the look at the processes was given up")

// scanner scans all processes on behalf of all trees. Trees that ask during a
// scan share the next one, so that many which end at once cost a few scans.
type scanner struct {
	// look lists the processes that live. It returns an error where some could not
	// be seen.
	look   func() ([]process, error)
	server string         // the server's id
	work   sync.WaitGroup // for serve

	mu   sync.Mutex // protects what follows
	next *scan      // the scan that is asked for and has not begun
	busy bool       // serve is running

	rested time.Time // when the next scan may begin; only serve uses it

	proc procfs
}

// scan is one look at all processes.
type scan struct {
	done  chan struct{} // closed when the other fields may be read
	found []process
	err   error
}

// process is a process that a scan has seen alive.
type process struct {
	pid    int
	parent int
	group  int
	// session is 0 where the process was found only in its control group.
	session  int
	start    string   // the start time, which with the pid identifies a process
	keys     []string // of this server's commands that it belongs to
	envEmpty bool     // its environment was read, and was empty
	inCgroup bool     // it is in the tree's control group; start may be unknown then
}

func newScanner(server string) *scanner {
	s := &scanner{server: server, proc: procfs{root: procDir}}
	s.look = s.scanAll
	_ = s.proc.visibility() // opens it while there are descriptors
	return s
}

// close is called when no tree asks any more.
func (s *scanner) close() {
	s.work.Wait()
	s.proc.close()
}

// processes returns the result of a scan that has begun after the call. It
// stops waiting when stop is closed, and after within; nil and 0 mean no limit.
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

// serve scans until no tree asks. After each scan it rests for as long as that
// took, so that trees which are about to ask share the next one.
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
	// A process may fork and exit after it was listed and before it is read. When a
	// later list has no new process, all that live were read.
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
				blind = err // the others are still read
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

// rereadEmptyEnvirons reads environments that were empty a second time: that of
// a process is empty for a moment while it executes a program. It returns false
// where such a process has ended, since it may have started others. Kernel
// threads have no environment and no process group.
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

// process returns a process as it is now, or nil where it does not live. It
// reads the environment only where that is asked for.
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

// commandKeys returns the keys of a server's commands in an environment, which
// is a list of variables with NUL bytes between them.
func commandKeys(env []byte, server string) (keys []string) {
	if !bytes.Contains(env, []byte(server)) {
		return nil // as for most processes
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

// The places of fields in /proc/PID/stat, counted from behind the name.
const (
	statState  = 0
	statParent = 1
	// the group and the session follow the parent
	statThreads = 17
	statStart   = 19
)

// parseStat returns a process that lives, or nil. A zombie does not live,
// unless some of its threads have not ended.
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
