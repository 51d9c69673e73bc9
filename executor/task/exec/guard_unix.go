//go:build unix

package exec

import (
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"syscall"
	"time"
)

const (
	guardShell = "/bin/sh"
	// After guardTries guards in a row that did not live for guardMinLife no other
	// is started at once.
	guardMinLife = time.Second
	guardTries   = 3
	// guardRetry is the least time until a command tries to start one again.
	guardRetry = time.Second
	// guardEnd is how long close waits for the guard before it kills it.
	guardEnd = 2 * time.Second
)

// guardScript waits for the end of its stdin, which comes when this process
// ends. Then it kills what is in the control group $2, the process groups in
// the table (file 3), and their descendants. Where /proc shows environments, it
// also kills every process with the server's id $1 in its environment, and the
// descendants of these.
//
//go:embed guard.sh
var guardScript string

var errGuardDies = errors.New("it ends as soon as it is started")

// guard is a small process that outlives this one by a moment and kills what is
// left of its commands, however this process has died. It costs a command two
// writes into a file in memory. The guard reads that file only in the end, so
// nothing waits for it, and a guard that was killed can be replaced at any
// time.
type guard struct {
	log     *slog.Logger
	server  string
	keeping sync.WaitGroup // for keep

	mu           sync.Mutex  // protects what follows
	serverCgroup string      // the control group of all commands, or ""
	groupTable   *groupTable // nil until the first guard is tried
	stdin        *os.File    // the guard's end of the pipe
	lifeline     *os.File    // our end; nobody else ever has it
	proc         *os.Process
	kept         bool      // keep is running
	tried        time.Time // when the latest start was tried
	troubled     bool      // a warning was logged that there is none
	closed       bool
}

// ensure sees to it that there is a guard, at most once in guardRetry. Commands
// run without one meanwhile, and are in the table for a later one. It returns
// the table, or nil. serverCgroup is the control group of all commands, or "".
func (g *guard) ensure(serverCgroup string) *groupTable {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.serverCgroup = serverCgroup
	if g.kept || g.closed || time.Since(g.tried) < guardRetry {
		return g.groupTable
	}
	g.tried = time.Now()
	err := g.openLocked()
	if err == nil {
		err = g.spawnLocked()
	}
	if err != nil {
		g.warnLocked("there is no guard yet: if this process is killed, processes of its commands may be left", err)
		return g.groupTable
	}
	g.kept = true
	g.keeping.Go(g.keep)
	return g.groupTable
}

// openLocked makes the pipe and the table, which all guards share.
func (g *guard) openLocked() error {
	if g.groupTable != nil {
		return nil
	}
	stdin, lifeline, err := os.Pipe()
	if err != nil {
		return err
	}
	groupTable, err := newGroupTable()
	if err != nil {
		stdin.Close()
		lifeline.Close()
		return err
	}
	g.stdin, g.lifeline, g.groupTable = stdin, lifeline, groupTable
	return nil
}

// warnLocked logs, once, that there is no guard. It may do so again after one
// has lived.
func (g *guard) warnLocked(text string, err error) {
	if !g.troubled {
		g.log.Warn(text, "error", err)
	}
	g.troubled = true
}

// spawnLocked starts a guard. Its own session keeps signals of a terminal away,
// and its directory is one that nobody unmounts.
func (g *guard) spawnLocked() error {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	argv := []string{"sh", "-c", guardScript, "jobline-guard", g.server, g.serverCgroup}
	proc, err := os.StartProcess(guardShell, argv, &os.ProcAttr{
		Dir: "/", Env: []string{"PATH=/usr/bin:/bin"},
		Files: []*os.File{g.stdin, null, null, g.groupTable.file},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return fmt.Errorf("start the guard: %w", err)
	}
	g.proc = proc
	return nil
}

// keep waits for the guard, and starts another where it ends too early.
func (g *guard) keep() {
	for tries := 0; ; {
		began := time.Now()
		_, _ = g.current().Wait()
		lived := time.Since(began) > guardMinLife
		if tries++; lived {
			tries = 1
		}
		if !g.replace(lived, tries <= guardTries) {
			return
		}
	}
}

// current returns the guard. Only keep changes it while that runs.
func (g *guard) current() *os.Process {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.proc
}

// replace starts a guard in place of one that has ended. Where it returns
// false, a later command tries again.
func (g *guard) replace(lived, again bool) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.troubled = g.troubled && !lived
	err := errGuardDies
	if !g.closed && again {
		err = g.spawnLocked()
	}
	switch {
	case g.closed:
	case err != nil:
		g.warnLocked("the guard is gone: if this process is killed, processes of its commands may be left", err)
	default:
		if !g.troubled {
			g.log.Warn("the guard was ended by somebody; there is another", "pid", g.proc.Pid)
		}
		return true
	}
	g.kept, g.tried = false, time.Now()
	return false
}

// close ends the guard, which first kills what is left of the commands.
func (g *guard) close() {
	g.mu.Lock()
	g.closed = true
	groupTable, proc := g.groupTable, g.proc
	g.mu.Unlock()
	if groupTable == nil {
		return
	}
	g.lifeline.Close()
	if proc != nil {
		timer := time.AfterFunc(guardEnd, func() { _ = proc.Kill() }) // it cannot end while it is stopped
		defer timer.Stop()
	}
	g.keeping.Wait()
	g.stdin.Close()
	groupTable.close()
}
