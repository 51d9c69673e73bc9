//go:build unix && !linux

package exec

import (
	"log/slog"
	"os"
)

// cgroup and cgroupPool: these systems have no control groups.
type (
	cgroup     struct{}
	cgroupPool struct{}
)

func newCgroupPool(*slog.Logger, int) cgroupPool { return cgroupPool{} }

func (*cgroupPool) open() string { return "" }

func (*cgroupPool) start(_ *os.ProcAttr, spawn func() (*os.Process, error)) (*os.Process, *cgroup, error) {
	proc, err := spawn()
	return proc, nil, err
}

func (*cgroupPool) release(*cgroup) {}

func (*cgroupPool) close() {}
