package cmd

import (
	"bytes"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// sessionName names the session of this process, which is that of its terminal: by the
// process that leads it and when that started, as numbers of processes are used again.
// It is "" where that cannot be known.
func sessionName() string {
	sid, err := unix.Getsid(0)
	if err != nil {
		return ""
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", sid))
	if err != nil {
		return ""
	}
	// The name of the program, in parentheses, may have any characters; what follows has
	// no parentheses. The start is field 22 of all, and the name field 2.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 20 {
		return ""
	}
	return fmt.Sprintf("%d-%s", sid, fields[19])
}
