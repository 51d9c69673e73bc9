package exec

import "golang.org/x/sys/unix"

// getTermios is the request that reads the settings of a terminal.
const getTermios = unix.TCGETS
