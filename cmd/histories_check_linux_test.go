package cmd

import (
	"bufio"
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/schema"
)

// ledgerRun is a run of a task, as the ledger has it.
type ledgerRun struct {
	attempt, pid int
	begins, ends int // lines of the ledger, from 1; 0 for none
	again        bool
}

// check compares what the tasks did, what each driver was told, and what each server knows.
func (h *trial) check() {
	runs := h.readLedger()
	counts := map[string]int{}
	everyTask := map[uuid.UUID]*historyTask{}
	for _, d := range h.drivers {
		for _, t := range d.tasks {
			everyTask[t.params.ID] = t
			if t.made > 1 {
				h.Errorf("task %v: %d submits were answered as new", t.params.ID, t.made)
			}
			h.checkRuns(t, runs[t.params.ID], counts)
		}
		counts["servers"] += d.starts
	}
	for id := range runs {
		if everyTask[id] == nil {
			h.Errorf("a task ran that nobody has submitted: %v", id)
		}
	}
	h.checkLimits(everyTask, runs)
	last := h.drivers[0] // a server that reads all of the log, or a snapshot
	fresh, err := last.connect(h.Context())
	require.NoError(h, err)
	h.Cleanup(func() { _ = fresh.Close() })
	for _, c := range []*client.Client{h.drivers[0].last, h.drivers[1].last, h.drivers[2].last, h.drivers[3].last, fresh} {
		h.checkList(c, everyTask)
	}
	h.checkLog(counts)
	h.checkSnapshots(counts)
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		h.Logf("%6d %s", counts[name], name)
	}
}

// readLedger are the runs of all tasks.
func (h *trial) readLedger() map[uuid.UUID][]*ledgerRun {
	f, err := os.Open(h.ledger())
	require.NoError(h, err)
	defer func() { _ = f.Close() }()
	all := map[uuid.UUID][]*ledgerRun{}
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		var what, text string
		r := &ledgerRun{}
		_, err := fmt.Sscan(lines.Text(), &what, &text, &r.attempt, &r.pid)
		require.NoError(h, err, lines.Text())
		id := uuid.MustParse(text)
		i := slices.IndexFunc(all[id], func(o *ledgerRun) bool { return o.attempt == r.attempt && o.pid == r.pid })
		switch {
		case what == "begins" && i < 0:
			r.begins = n
			all[id] = append(all[id], r)
		case what == "begins":
			all[id][i].again = true
		default:
			all[id][i].ends = n
		}
	}
	require.NoError(h, lines.Err())
	return all
}

// checkRuns compares the runs of a task with its end.
func (h *trial) checkRuns(t *historyTask, runs []*ledgerRun, counts map[string]int) {
	id, end := t.params.ID, t.end
	counts["tasks that are "+end.State.String()]++
	attempts := map[int]bool{}
	for _, r := range runs {
		if r.again || attempts[r.attempt] {
			h.Errorf("task %v: attempt %d began twice", id, r.attempt)
		}
		attempts[r.attempt] = true
	}
	if len(runs) > 1 {
		counts["tasks that ran again"]++
		if !*t.params.Rerun {
			h.Errorf("task %v may not run again, and ran %d times", id, len(runs))
		}
	}
	switch end.State {
	case schema.Completed:
		h.checkResult(t, runs)
		return
	case schema.Cancelled:
		if !t.cancelled {
			h.Errorf("task %v is cancelled, and nobody has asked for that", id)
		}
	case schema.Failed:
		counts["tasks that have failed as "+string(end.Error.Kind)]++
		if end.Error.Kind != schema.KindInterrupted {
			h.Errorf("task %v has failed: %+v", id, end.Error)
		}
	default:
		h.Errorf("task %v ended as %v", id, end.State)
	}
	if slices.ContainsFunc(runs, func(r *ledgerRun) bool { return r.ends > 0 }) {
		counts["tasks whose late end was refused"]++
	}
}

// checkResult: the run that has ended a task is the one of its attempt.
func (h *trial) checkResult(t *historyTask, runs []*ledgerRun) {
	if t.params.Type != "ledger" {
		return
	}
	var said ledgerResult
	require.NoError(h, json.Unmarshal(t.end.Result, &said))
	if said.Attempt != int(t.end.Attempt) {
		h.Errorf("task %v is completed by attempt %d, and its attempt is %d", t.params.ID, said.Attempt, t.end.Attempt)
	}
	if r := runOf(t, runs); r == nil || r.ends == 0 {
		h.Errorf("task %v is completed by attempt %d of process %d, which has not ended", t.params.ID, said.Attempt, said.PID)
	}
}

// runOf is the run that has ended a task that is completed.
func runOf(t *historyTask, runs []*ledgerRun) *ledgerRun {
	var said ledgerResult
	if t.params.Type == "ledger" && json.Unmarshal(t.end.Result, &said) != nil {
		return nil
	}
	for _, r := range runs {
		if r.attempt == said.Attempt && r.pid == said.PID {
			return r
		}
	}
	return nil
}

// checkLimits: of the runs whose ends were taken no more of a group ran at once than may, and no two
// of a key. Others may have run a little longer than their slots were theirs.
func (h *trial) checkLimits(all map[uuid.UUID]*historyTask, runs map[uuid.UUID][]*ledgerRun) {
	type edge struct {
		line, by int
		of       string
	}
	var edges []edge
	for id, t := range all {
		if of := t.params.Group + t.params.Key; of != "" && t.end.State == schema.Completed {
			r := runOf(t, runs[id])
			if r == nil {
				continue // another check tells
			}
			edges = append(edges, edge{r.begins, 1, of}, edge{r.ends, -1, of})
		}
	}
	slices.SortFunc(edges, func(a, b edge) int { return a.line - b.line })
	running, most := map[string]int{}, map[string]int{}
	for _, e := range edges {
		running[e.of] += e.by
		most[e.of] = max(most[e.of], running[e.of])
	}
	for of, n := range most {
		if of == "g" && n > historyGroupLimit || of != "g" && n > 1 {
			h.Errorf("%d tasks of %s ran at once", n, of)
		}
	}
	h.Logf("at once: %v", most)
}

// checkList: a server knows all tasks, and their ends as the drivers were told them.
func (h *trial) checkList(c *client.Client, all map[uuid.UUID]*historyTask) {
	seen := 0
	for p := (schema.ListParams{Limit: 1000, Order: schema.OldestFirst}); ; {
		page, err := c.List(h.Context(), p)
		require.NoError(h, err)
		for i := range page.Tasks {
			seen++
			h.checkSame(&page.Tasks[i], all[page.Tasks[i].ID])
		}
		if p.Cursor = page.NextCursor; p.Cursor == "" {
			break
		}
	}
	require.Len(h, all, seen)
}

func (h *trial) checkSame(shown *schema.Task, t *historyTask) {
	switch {
	case t == nil:
		h.Errorf("there is a task that nobody has submitted: %v", shown.ID)
	case shown.State != t.end.State || shown.Attempt != t.end.Attempt || shown.FinishedAt != t.end.FinishedAt || string(shown.Result) != string(t.end.Result):
		h.Errorf("task %v is shown as %v, attempt %d, ended at %v, and was told as %v, attempt %d, ended at %v",
			shown.ID, shown.State, shown.Attempt, shown.FinishedAt, t.end.State, t.end.Attempt, t.end.FinishedAt)
	}
}

// checkLog: a process that is silent is given up when its lease is over, and within three seconds from then, as those count
// that give it up: by their beats, since they may be slow themselves.
func (h *trial) checkLog(counts map[string]int) {
	ctx, cancel := context.WithTimeout(h.Context(), soon)
	defer cancel()
	h.log.finish(ctx, h.T, h.at)
	const most = int((historyLease + 3*time.Second) / beatTime)
	longest := time.Duration(0)
	for _, f := range h.log.fences {
		longest = max(longest, f.silent)
		if f.unheard < historyLease {
			h.Errorf("a process was given up %v after its last message, and its lease is %v", f.unheard, historyLease)
		}
		if f.beats > most {
			h.Errorf("a process was given up %v after its last message, and %d beats of the one that did it, want at most %d", f.silent, f.beats, most)
		}
	}
	counts["processes that were given up"] = len(h.log.fences)
	counts["messages of processes that were given up"] = h.log.late
	counts["messages"] = h.log.messages
	counts["gaps in what was read of the log"] = h.log.gaps
	h.Logf("a silent process was given up after %v at the most; the longest pause of the log was %v, and where its leader stopped %v", longest, h.log.pause, h.log.elected)
}
