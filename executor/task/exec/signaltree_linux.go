package exec

import "golang.org/x/sys/unix"

// stopRounds bounds how often a tree is looked at again while it is stopped.
const stopRounds = 5

// signalTree sends a signal to the process group, and to all other processes of the
// tree. It finds these first, since nothing tells of the children of a process that
// has ended. What is forked before its parent is stopped has to be stopped, too.
func (t *tree) signalTree(signal unix.Signal) {
	rounds := 1
	if signal == unix.SIGSTOP {
		rounds = stopRounds
	}
	sent := map[processIdentity]bool{}
	for round := range rounds {
		found, _ := t.find(t.family, nil, t.lookWait) // the process group is signalled all the same
		if round == 0 {
			t.signalGroup(signal)
		}
		before := len(sent)
		for _, m := range found {
			if id := (processIdentity{m.pid, m.start}); !sent[id] {
				if sent[id] = true; m.group != t.pid {
					t.signal(m, signal)
				}
			}
		}
		closeAll(found)
		if len(sent) == before {
			return
		}
	}
}

// processIdentity tells a process from a later one with its number.
type processIdentity struct {
	pid   int
	start string
}
