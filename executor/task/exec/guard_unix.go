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
	// guardMinLife and guardTries end the attempts to keep a guard where it
	// cannot live.
	guardMinLife = time.Second
	guardTries   = 3
	// guardRetry is the least time between two attempts to have one at all.
	guardRetry = time.Second
	// guardEnd is how long a guard is given to end when it is told to.
	guardEnd = 2 * time.Second
)

// guardScript waits for the end of its stdin, which comes with the end of
// this process, and kills what is in the control group $2, the process groups in
// the table (file 3), what has come of them, and then, where /proc shows
// environments, every process with the marker $1 and what has come of that.
//
//go:embed guard.sh
var guardScript string

var errGuardDies = errors.New("it ends as soon as it is started")

// guard is a small process that outlives this one by a moment, to kill what
// is left of its commands however it died. It costs a command two writes into
// a file in memory: the guard reads that only in the end, so nothing ever
// waits for it, and another one can take its place at any time.
type guard struct {
	log     *slog.Logger
	server  string
	keeping sync.WaitGroup // of keep

	mu           sync.Mutex  // protects what follows
	serverCgroup string      // the control group of all commands, or ""
	groupTable   *groupTable // nil until the first guard is tried
	stdin        *os.File    // the guards' end of the pipe
	lifeline     *os.File    // our end; nobody else ever has it
	proc         *os.Process
	kept         bool      // keep is under way
	tried        time.Time // when a start was tried last
	troubled     bool      // it was said that there is none; it is not said again
	closed       bool
}

// ensure sees to it that there is a guard, or tries again every guardRetry.
// Commands run without one meanwhile, and are in the table for a later one; it
// answers the table, or nil. serverCgroup is the control group of all commands, or "".
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

// openLocked makes what all guards share.
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

// warnLocked says once that there is no guard, until one has lived.
func (g *guard) warnLocked(text string, err error) {
	if !g.troubled {
		g.log.Warn(text, "error", err)
	}
	g.troubled = true
}

// spawnLocked starts a guard in a session of its own, so that no terminal
// signals it, and in no directory that somebody may want to unmount.
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

// keep waits for the guard and starts another when it ends before its time.
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

// current is the guard; only keep changes it while that is under way.
func (g *guard) current() *os.Process {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.proc
}

// replace starts a guard in the place of one that has ended, or answers false:
// then a later command tries again.
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

// close ends the guard, which kills what is left of the commands.
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
		timer := time.AfterFunc(guardEnd, func() { _ = proc.Kill() }) // it may be stopped
		defer timer.Stop()
	}
	g.keeping.Wait()
	g.stdin.Close()
	groupTable.close()
}
