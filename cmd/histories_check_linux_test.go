package cmd

import (
	"bufio"
	"context"
	"fmt"
	"maps"
	"os"
	"reflect"
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
	begins, ends int         // lines of the ledger, from 1; 0 for none
	began, ended schema.Time // when; ended also where it was stopped, and 0 where that is not known
	again        bool
}

// check compares what the tasks did, what each driver was told, and what each server knows. It answers what is wrong.
func (h *trial) check() []string {
	h.found = nil
	h.finishLog()
	runs, counts := h.readLedger(), map[string]int{}
	all := h.judge(runs, counts)
	fresh, err := h.drivers[0].connect(h.Context()) // a server that reads all of the log, or a snapshot
	require.NoError(h, err)
	h.Cleanup(func() { _ = fresh.Close() })
	for _, c := range []*client.Client{h.drivers[0].last, h.drivers[1].last, h.drivers[2].last, h.drivers[3].last, fresh} {
		h.awaitAll(c, len(all))
		h.checkShown(h.list(c), all)
	}
	h.checkTold(h.past(fresh))
	h.checkSnapshots(counts)
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		h.Logf("%6d %s", counts[name], name)
	}
	return h.found
}

// judge compares what the tasks did with what the drivers were told, and both with the log and what has happened. It answers all
// tasks.
func (h *trial) judge(runs map[uuid.UUID][]*ledgerRun, counts map[string]int) map[uuid.UUID]*historyTask {
	all := map[uuid.UUID]*historyTask{}
	for _, d := range h.drivers {
		for _, t := range d.tasks {
			all[t.params.ID] = t
			if t.made > 1 {
				h.violates("task %v: %d submits were answered as new", t.params.ID, t.made)
			}
			h.checkRuns(t, runs[t.params.ID], counts)
			h.checkAttempts(t, runs[t.params.ID], counts)
		}
		counts["servers"] += d.starts
	}
	for id := range runs {
		if all[id] == nil {
			h.violates("a task ran that nobody has submitted: %v", id)
		}
	}
	h.checkLimits(all, runs)
	h.checkLog(counts)
	h.checkTakings(counts)
	return all
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
		var at schema.Time
		r := &ledgerRun{}
		_, err := fmt.Sscan(lines.Text(), &what, &text, &r.attempt, &r.pid, &at)
		require.NoError(h, err, lines.Text())
		if what == "pauses" {
			h.happened(historyCause{kind: "it made a pause", pid: r.pid, from: at - micros(time.Duration(r.attempt)*time.Millisecond), to: at, measured: true})
			continue
		}
		id := uuid.MustParse(text)
		i := slices.IndexFunc(all[id], func(o *ledgerRun) bool { return o.attempt == r.attempt && o.pid == r.pid })
		switch {
		case what == "begins" && i < 0:
			r.begins, r.began = n, at
			all[id] = append(all[id], r)
		case what == "begins":
			all[id][i].again = true
		case what == "ends":
			all[id][i].ends, all[id][i].ended = n, at
		default:
			all[id][i].ended = at
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
			h.violates("task %v: attempt %d began twice", id, r.attempt)
		}
		attempts[r.attempt] = true
	}
	if len(runs) > 1 {
		counts["tasks that ran again"]++
		if !*t.params.Rerun {
			h.violates("task %v may not run again, and ran %d times", id, len(runs))
		}
	}
	switch end.State {
	case schema.Completed:
		h.checkResult(t, runs)
		return
	case schema.Cancelled:
		if !t.cancelled {
			h.violates("task %v is cancelled, and nobody has asked for that", id)
		}
	case schema.Failed:
		counts["tasks that have failed as "+string(end.Error.Kind)]++
		if end.Error.Kind != schema.KindInterrupted {
			h.violates("task %v has failed: %+v", id, end.Error)
		}
		h.checkInterrupted(t, counts)
	default:
		h.violates("task %v ended as %v", id, end.State)
	}
	if slices.ContainsFunc(runs, func(r *ledgerRun) bool { return r.ends > 0 }) {
		counts["tasks whose late end was refused"]++
	}
}

// checkResult: the run that has ended a task is the one of its attempt.
func (h *trial) checkResult(t *historyTask, runs []*ledgerRun) {
	if t.params.Type != "ledger" { // its command does not know where it ran
		if len(runs) != 1 || runs[0].ends == 0 {
			h.violates("task %v is completed, and its command ran %d times, and not to the end", t.params.ID, len(runs))
		}
		return
	}
	var said ledgerResult
	require.NoError(h, json.Unmarshal(t.end.Result, &said))
	if said.Attempt != int(t.end.Attempt) {
		h.violates("task %v is completed by attempt %d, and its attempt is %d", t.params.ID, said.Attempt, t.end.Attempt)
	}
	if on := pidOf(t.end.RanOn); on != said.PID {
		h.violates("task %v is completed by process %d, and ran on %d", t.params.ID, said.PID, on)
	}
	r := runOf(t, runs)
	if r == nil || r.ends == 0 {
		h.violates("task %v is completed by attempt %d of process %d, which has not ended", t.params.ID, said.Attempt, said.PID)
		return
	}
	h.checkLate(t, r)
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
			h.violates("%d tasks of %s ran at once", n, of)
		}
	}
	h.Logf("at once: %v", most)
}

// awaitAll waits until a server has read of the ends of so many tasks: it sees what came through others a little later. Where it does not come
// to that, the checks say what differs.
func (h *trial) awaitAll(c *client.Client, tasks int) {
	for end := time.Now().Add(soon); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		now, err := c.Stats(h.Context())
		require.NoError(h, err)
		if n := now.Tasks; n.Completed+n.Failed+n.Cancelled >= int64(tasks) {
			return
		}
	}
}

// list is all that a server shows.
func (h *trial) list(c *client.Client) (shown []schema.Task) {
	for p := (schema.ListParams{Limit: 1000, Order: schema.OldestFirst}); ; {
		page, err := c.List(h.Context(), p)
		require.NoError(h, err)
		shown = append(shown, page.Tasks...)
		if p.Cursor = page.NextCursor; p.Cursor == "" {
			return shown
		}
	}
}

// checkShown: a server knows all tasks, and their ends as the drivers were told them.
func (h *trial) checkShown(shown []schema.Task, all map[uuid.UUID]*historyTask) {
	seen := map[uuid.UUID]bool{}
	for i := range shown {
		if seen[shown[i].ID] {
			h.violates("task %v is shown twice", shown[i].ID)
		}
		seen[shown[i].ID] = true
		h.checkSame(&shown[i], all[shown[i].ID])
	}
	for id := range all {
		if !seen[id] {
			h.violates("task %v is lost", id)
		}
	}
}

// past are the numbers of all ends of the past, as a server tells them.
func (h *trial) past(c *client.Client) map[uuid.UUID][]uint64 {
	ctx, cancel := context.WithTimeout(h.Context(), soon)
	defer cancel()
	_, err := c.Subscribe(ctx, schema.SubscribeParams{After: new(uint64(0)), Events: []string{schema.EventFinished}})
	require.NoError(h, err)
	told := map[uuid.UUID][]uint64{}
	for e := range c.Events(ctx) {
		if e.Finished != nil {
			told[e.Finished.ID] = append(told[e.Finished.ID], e.Finished.Seq)
		}
		if e.Replayed != nil {
			break
		}
	}
	require.NoError(h, ctx.Err(), "the past was not told")
	return told
}

// checkTold: whoever reads all ends of the past gets each one once, with the number with which it was told.
func (h *trial) checkTold(told map[uuid.UUID][]uint64) {
	for _, d := range h.drivers {
		for _, t := range d.tasks {
			if seqs := told[t.params.ID]; len(seqs) != 1 || seqs[0] != t.seq {
				h.violates("the end of task %v was told at %d, and is in the past at %v", t.params.ID, t.seq, seqs)
			}
		}
	}
}

func (h *trial) checkSame(shown *schema.Task, t *historyTask) {
	switch {
	case t == nil:
		h.violates("there is a task that nobody has submitted: %v", shown.ID)
	case shown.State != t.end.State || shown.Attempt != t.end.Attempt || shown.FinishedAt != t.end.FinishedAt || string(shown.Result) != string(t.end.Result):
		h.violates("task %v is shown as %v, attempt %d, ended at %v, and was told as %v, attempt %d, ended at %v",
			shown.ID, shown.State, shown.Attempt, shown.FinishedAt, t.end.State, t.end.Attempt, t.end.FinishedAt)
	case !reflect.DeepEqual(shown.Error, t.end.Error):
		h.violates("task %v is shown with the error %+v, and was told with %+v", shown.ID, shown.Error, t.end.Error)
	case shown.Type != t.params.Type || !maps.Equal(shown.Labels, t.params.Labels):
		h.violates("task %v is shown as %v with %v, and is %v with %v", shown.ID, shown.Type, shown.Labels, t.params.Type, t.params.Labels)
	}
}

// finishLog reads the log to its end, and notes where it was slow.
func (h *trial) finishLog() {
	ctx, cancel := context.WithTimeout(h.Context(), soon)
	defer cancel()
	h.log.finish(ctx, h.T, h.at)
	for _, s := range slices.Concat(h.log.silences, h.log.late) {
		h.happened(historyCause{kind: "the log was slow", from: schema.TimeOf(s.from), to: schema.TimeOf(s.to), measured: true})
	}
}

// checkLog: a process that is silent is given up when its lease is over, and within three seconds from then, as those count
// that give it up: by their beats, since they may be slow themselves.
func (h *trial) checkLog(counts map[string]int) {
	h.checkOverdue()
	longest := h.checkFences()
	h.checkStalls()
	counts["processes that were given up"] = len(h.log.fences)
	counts["messages of processes that were given up"] = h.log.refused
	counts["messages"] = h.log.messages
	counts["gaps in what was read of the log"] = len(h.log.gaps)
	h.Logf("a silent process was given up after %v at the most; the longest pause of the log was %v, and where it had no leader %v", longest, h.log.pause, h.log.elected)
}

func (h *trial) checkFences() (longest time.Duration) {
	for _, f := range h.log.fences {
		longest = max(longest, f.silent)
		if f.unheard < historyLease {
			h.violates("a process was given up %v after its last message, and its lease is %v", f.unheard, historyLease)
		}
		if f.beats > mostSilentBeats {
			h.violates("a process was given up %v after its last message, and %d beats of the one that did it, want at most %d", f.silent, f.beats, mostSilentBeats)
		}
	}
	return longest
}
