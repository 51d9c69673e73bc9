//go:build unix && !linux

package exec

import (
	"log/slog"
	"os"
)

// cgroup and cgroupPool are empty: these systems have no control groups.
type (
	cgroup     struct{}
	cgroupPool struct{}
)

func newCgroupPool(*slog.Logger, int) cgroupPool { return cgroupPool{} }

func (*cgroupPool) open() string { return "" }

// start starts a process in a session of its own, by a function that spawns it
// with attr. With pty its descriptor 0 becomes its controlling terminal.
func (*cgroupPool) start(attr *os.ProcAttr, pty bool, spawn func() (*os.Process, error)) (*os.Process, *cgroup, error) {
	attr.Sys = ownSession(pty)
	proc, err := spawn()
	return proc, nil, err
}

func (*cgroupPool) release(*cgroup) {}

func (*cgroupPool) close() {}
