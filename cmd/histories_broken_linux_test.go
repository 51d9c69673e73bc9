package cmd

import (
	"encoding/binary"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/schema"
)

// This file shows that the checks of histories find what they are for: each test breaks one promise in a history that is whole.

const (
	stoppedServer, otherServer = 101, 102 // processes
	brokenStart                = 1_800_000_000
)

// second is a time of a history made by hand, in seconds from its start.
func second(s float64) schema.Time { return schema.Time(brokenStart*1e6) + schema.Time(s*1e6) }

// byHand is a history of two servers. One was stopped for two seconds, and given up. It had a task that ran again on the other
// server, one that could not, and has been interrupted, and one that it had completed before.
type byHand struct {
	*trial
	runs                      map[uuid.UUID][]*ledgerRun
	again, once, quick, shell *historyTask
	shown                     []schema.Task
	told                      map[uuid.UUID][]uint64
}

func newByHand(t *testing.T) *byHand {
	b := &byHand{trial: &trial{T: t, servers: map[int]int{stoppedServer: 0, otherServer: 1}, log: newWatchedLog()}, runs: map[uuid.UUID][]*ledgerRun{}, told: map[uuid.UUID][]uint64{}}
	d := &driverOf{trial: b.trial, byID: map[uuid.UUID]*historyTask{}}
	d.changed = sync.NewCond(&d.mu)
	b.drivers = []*driverOf{d}
	b.again = b.task("ledger", true, schema.Task{State: schema.Completed, Attempt: 2, FinishedAt: second(3.2), Result: []byte(`{"attempt":2,"pid":102}`)}, otherServer,
		ledgerRun{attempt: 1, pid: stoppedServer, began: second(1)},
		ledgerRun{attempt: 2, pid: otherServer, began: second(3), ended: second(3.1), ends: 1})
	b.once = b.task("ledger", false, schema.Task{State: schema.Failed, Attempt: 1, FinishedAt: second(2.6), Error: &schema.TaskError{Kind: schema.KindInterrupted}}, stoppedServer,
		ledgerRun{attempt: 1, pid: stoppedServer, began: second(1), ended: second(4), ends: 1})
	b.quick = b.task("ledger", false, schema.Task{State: schema.Completed, Attempt: 1, FinishedAt: second(0.6), Result: []byte(`{"attempt":1,"pid":101}`)}, stoppedServer,
		ledgerRun{attempt: 1, pid: stoppedServer, began: second(0.5), ended: second(0.55), ends: 1})
	b.shell = b.task("exec", false, schema.Task{State: schema.Completed, Attempt: 1, FinishedAt: second(0.6)}, stoppedServer,
		ledgerRun{attempt: 1, pid: 7, began: second(0.5), ended: second(0.5), ends: 1})
	b.happened(historyCause{kind: "it was stopped", pid: stoppedServer, from: second(1.5), to: second(3.9)})
	b.log.takings = []logTaking{{by: byFence, at: second(2.6), pid: stoppedServer, since: second(1.5)}}
	b.log.fences = []logFence{{silent: 1100 * time.Millisecond, unheard: 1100 * time.Millisecond, beats: 5}}
	return b
}

// task adds a task with its runs, and its end as it was told and is shown.
func (b *byHand) task(kind string, rerun bool, end schema.Task, pid int, runs ...ledgerRun) *historyTask {
	d := b.drivers[0]
	t := &historyTask{answered: true, made: 1, end: &end}
	t.params.ID, t.params.Type, t.params.Rerun = uuid.New(), kind, &rerun
	end.ID, end.Type, end.RanOn = t.params.ID, kind, &schema.RunsOn{Executor: fmt.Sprint("m/", pid), Host: "m"}
	d.tasks, d.byID[end.ID] = append(d.tasks, t), t
	t.seq = uint64(len(d.tasks))
	for i := range runs {
		runs[i].begins = len(d.tasks)*10 + i
		b.runs[end.ID] = append(b.runs[end.ID], &runs[i])
	}
	b.shown, b.told[end.ID] = append(b.shown, end), []uint64{t.seq}
	return t
}

func (b *byHand) run(t *historyTask, n int) *ledgerRun { return b.runs[t.params.ID][n] }

// violations are what is found.
func (b *byHand) violations() []string {
	all := b.judge(b.runs, map[string]int{})
	b.checkShown(b.shown, all)
	b.checkTold(b.told)
	return b.found
}

func TestBrokenHistoriesAreFound(t *testing.T) {
	t.Parallel()
	require.Empty(t, newByHand(t).violations(), "the whole one")
	for _, c := range []struct {
		name, want string
		breaks     func(b *byHand)
	}{
		{"no fault", "nothing explains that", func(b *byHand) { b.causes = nil }},
		{"a fault of another server", "nothing explains that", func(b *byHand) { b.causes[0].pid = otherServer }},
		{"a fault that was over", "nothing explains that", func(b *byHand) { b.causes[0].from, b.causes[0].to = second(0), second(0.4) }},
		{"a fault that came later", "nothing explains that", func(b *byHand) { b.causes[0].from = second(2.5) }},
		{"a cut of another driver", "nothing explains that", func(b *byHand) { b.causes[0].pid, b.causes[0].driver = 0, &driverOf{number: 1} }},
		{"interrupted without an entry", "nothing has taken it from that", func(b *byHand) { b.once.end.FinishedAt, b.shown[1].FinishedAt = second(2.5), second(2.5) }},
		{"interrupted on another server", "nothing has taken it from that", func(b *byHand) { b.once.end.RanOn.Executor = "m/102" }},
		{"a drop of other tasks", "nothing has taken it from that", func(b *byHand) {
			b.log.takings[0].by, b.log.takings[0].leases = byDrop, []logAttempt{{b.again.params.ID, 1}}
		}},
		{"a server that left", "no server was told to end", func(b *byHand) { b.log.takings[0].by = byLeave }},
		{"two attempts at once", "was not taken from that before", func(b *byHand) { b.run(b.again, 1).began = second(2.5) }},
		{"an attempt behind a drop of another task", "was not taken from that before", func(b *byHand) {
			b.log.takings[0].by, b.log.takings[0].leases = byDrop, []logAttempt{{b.once.params.ID, 1}}
		}},
		{"an attempt twice", "attempt 2 began twice", func(b *byHand) { b.run(b.again, 0).attempt = 2 }},
		{"an attempt begun again", "attempt 2 began twice", func(b *byHand) { b.run(b.again, 1).again = true }},
		{"an attempt behind the last", "attempt 2 ran, and it ended with attempt 1", func(b *byHand) { b.again.end.Attempt, b.shown[0].Attempt = 1, 1 }},
		{"an attempt behind the end", "long after the end", func(b *byHand) { b.run(b.shell, 0).began = second(9) }},
		{"ran twice and may not", "may not run again, and ran 2 times", func(b *byHand) { b.again.params.Rerun = new(false) }},
		{"a late end that counts", "from which it was taken before", func(b *byHand) { b.quick.end.FinishedAt, b.shown[2].FinishedAt = second(2.7), second(2.7) }},
		{"completed by the attempt before", "is completed by attempt 1, and its attempt is 2", func(b *byHand) { b.again.end.Result, b.shown[0].Result = b.quick.end.Result, b.quick.end.Result }},
		{"completed elsewhere", "is completed by process 101, and ran on 102", func(b *byHand) { b.quick.end.RanOn.Executor = "m/102" }},
		{"completed without an end", "which has not ended", func(b *byHand) { b.run(b.quick, 0).ends = 0 }},
		{"a command that did not run", "its command ran 0 times", func(b *byHand) { delete(b.runs, b.shell.params.ID) }},
		{"cancelled", "nobody has asked for that", func(b *byHand) { b.quick.end.State, b.shown[2].State = schema.Cancelled, schema.Cancelled }},
		{"failed", "has failed", func(b *byHand) { b.once.end.Error.Kind = schema.KindPanic }},
		{"new twice", "2 submits were answered as new", func(b *byHand) { b.once.made = 2 }},
		{"of nobody", "that nobody has submitted", func(b *byHand) { b.runs[uuid.New()] = b.runs[b.once.params.ID] }},
		{"two of a key at once", "2 tasks of k1 ran at once", func(b *byHand) {
			b.again.params.Key, b.quick.params.Key = "k1", "k1"
			b.run(b.quick, 0).begins, b.run(b.quick, 0).ends, b.run(b.again, 1).begins, b.run(b.again, 1).ends = 1, 3, 2, 4
		}},
		{"given up early", "and its lease is 1s", func(b *byHand) { b.log.fences[0].unheard = historyLease - 1 }},
		{"given up late", "want at most 20", func(b *byHand) { b.log.fences[0].beats = 21 }},
		{"not given up", "in 21 beats of process 102, want at most 20", func(b *byHand) { b.overdue(otherServer) }},
		{"not shown", "is lost", func(b *byHand) { b.shown = b.shown[1:] }},
		{"another in its place", "is shown twice", func(b *byHand) { b.shown[0] = b.shown[1] }},
		{"of nobody, shown", "a task that nobody has submitted", func(b *byHand) { b.shown = append(b.shown, schema.Task{ID: uuid.New()}) }},
		{"shown in another state", "was told as completed", func(b *byHand) { b.shown[0].State = schema.Failed }},
		{"shown with another error", "is shown with the error", func(b *byHand) { b.shown[1].Error = &schema.TaskError{Kind: schema.KindPanic} }},
		{"shown with other labels", "is shown as ledger with map[a:b]", func(b *byHand) { b.shown[1].Labels = map[string]string{"a": "b"} }},
		{"twice in the past", "is in the past at [3 5]", func(b *byHand) { b.told[b.quick.params.ID] = []uint64{3, 5} }},
		{"not in the past", "is in the past at []", func(b *byHand) { delete(b.told, b.quick.params.ID) }},
		{"another number in the past", "is in the past at [9]", func(b *byHand) { b.told[b.quick.params.ID] = []uint64{9} }},
		{"a stall", "has written nothing for 12s, of which 12s", func(b *byHand) { b.stall(12, 0, 0) }},
		{"a stall longer than the election", "has written nothing for 16s, of which 11s", func(b *byHand) { b.stall(16, 1, 6) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newByHand(t)
			c.breaks(b)
			require.Contains(t, fmt.Sprint(b.violations()), c.want)
		})
	}
}

// What a fault explains is no violation.
func TestHistoriesWithFaultsAreWhole(t *testing.T) {
	t.Parallel()
	for name, changes := range map[string]func(b *byHand){
		"a cut of its driver":    func(b *byHand) { b.causes[0].pid, b.causes[0].driver = 0, b.drivers[0] },
		"a server of NATS":       func(b *byHand) { b.causes[0].pid = 0 },
		"a stall in an election": func(b *byHand) { b.stall(16, 1, 8) },
		"a stall of one that was stopped": func(b *byHand) {
			b.stall(16, 0, 0)
			b.log.stalls[0].pid = stoppedServer
		},
		"an end in a gap of what was read": func(b *byHand) {
			b.log.takings, b.log.fences, b.log.gaps = nil, nil, []logSpan{{second(1).Time(), second(3).Time()}}
		},
		"one that was stopped gives nobody up": func(b *byHand) { b.overdue(stoppedServer) },
		"one that is slow gives nobody up": func(b *byHand) {
			b.happened(historyCause{kind: "the log was slow", from: second(4), to: second(5), measured: true})
			b.overdue(otherServer)
		},
		"one that began late": func(b *byHand) { b.run(b.again, 0).began = second(3.9) },
	} {
		t.Run(name, func(t *testing.T) {
			b := newByHand(t)
			changes(b)
			require.Empty(t, b.violations())
		})
	}
}

// stall lets the other server write nothing for so many seconds, while the log had no leader from a second to another one.
func (b *byHand) stall(seconds, stopped, led float64) {
	span := func(from, to float64) logSpan { return logSpan{second(from).Time(), second(to).Time()} }
	b.log.stalls = []logStall{{otherServer, span(0, seconds)}}
	if led > 0 {
		b.log.stops = []*logStop{{second(stopped).Time(), true, second(led).Time()}}
	}
}

// overdue lets a process be silent, and not be given up by another one from the first second to the fifth.
func (b *byHand) overdue(by int) {
	b.log.overdue = []logOverdue{{7, by, 21, second(1).Time(), second(5).Time()}}
}

// What a driver is told twice, or in another order than it was recorded, is found.
func TestBrokenEventsAreFound(t *testing.T) {
	t.Parallel()
	end := func(b *byHand, t *historyTask, seq uint64) {
		t.end = nil
		b.drivers[0].hear(&client.Event{Finished: &schema.FinishedEvent{Seq: seq, Task: schema.Task{ID: t.params.ID}}})
	}
	for _, c := range []struct {
		want string
		tell func(b *byHand)
	}{
		{"[]", func(b *byHand) { end(b, b.once, 1); end(b, b.again, 2) }},
		{"two ends", func(b *byHand) {
			end(b, b.once, 1)
			b.drivers[0].hear(&client.Event{Finished: &schema.FinishedEvent{Seq: 1, Task: *b.once.end}})
		}},
		{"behind what is at 2", func(b *byHand) { end(b, b.once, 2); end(b, b.again, 1) }},
		{"behind what is at 5", func(b *byHand) {
			b.drivers[0].hear(&client.Event{Replayed: &schema.ReplayedEvent{Seq: 5}})
			end(b, b.again, 5)
		}},
		{"of another driver", func(b *byHand) {
			b.drivers[0].hear(&client.Event{Finished: &schema.FinishedEvent{Seq: 1, Task: schema.Task{ID: uuid.New()}}})
		}},
		{"has lost events", func(b *byHand) { b.drivers[0].hear(&client.Event{Lost: &client.LostEvents{}}) }},
	} {
		b := newByHand(t)
		c.tell(b)
		require.Contains(t, fmt.Sprint(b.found), c.want)
	}
}

// handLog is a log that is written by hand.
type handLog struct {
	*watchedLog
	numbers map[uuid.UUID]uint64
}

// writes adds a message of a process, at a time in seconds.
func (l *handLog) writes(at float64, writer uuid.UUID, text string) {
	l.numbers[writer]++
	piece := append([]byte{2}, writer[:]...)
	piece = append(binary.BigEndian.AppendUint64(piece, l.numbers[writer]), 0)
	piece = append(binary.AppendUvarint(piece, uint64(len(text))), text...)
	l.take(l.read+1, piece, second(at).Time(), second(at).Time())
}

const handBeat = `[{"beat":true,"seen":{"entry":1,"digest":"1"}}]`

// Of what takes tasks the log knows when, and since when the process was silent. One that nobody gives up is found.
func TestTakingsAreRead(t *testing.T) {
	t.Parallel()
	a, b := uuid.New(), uuid.New()
	begin := func() *handLog {
		l := &handLog{newWatchedLog(), map[uuid.UUID]uint64{}}
		l.writes(0, a, `[{"hello":{"name":"a","pid":101}}]`)
		l.writes(0.1, b, `[{"hello":{"name":"b","pid":102}}]`)
		return l
	}
	l := begin()
	for at := 0.2; at < 1.3; at += 0.2 {
		l.writes(at, b, handBeat)
	}
	l.writes(1.35, b, fmt.Sprintf(`[{"fence":{"peer":%q,"last":1}}]`, a))
	l.writes(1.4, a, handBeat)
	l.writes(1.5, b, fmt.Sprintf(`[{"drop":true,"leases":[{"id":%q,"attempt":3}]}]`, a))
	l.writes(1.6, b, `[{"leave":true}]`)
	require.Equal(t, []logTaking{
		{byFence, second(1.35), 101, second(0), nil},
		{byDrop, second(1.5), 102, second(0.5), []logAttempt{{a, 3}}},
		{byLeave, second(1.6), 102, second(1.6), nil},
	}, l.takings)
	require.Equal(t, 6, l.fences[0].beats)
	require.Equal(t, 1, l.refused)
	require.Empty(t, l.overdue)

	l = begin()
	for at := 0.2; at < 6; at += 0.2 {
		l.writes(at, b, handBeat)
	}
	require.Equal(t, []logOverdue{{101, 102, 21, second(0.2).Time(), l.overdue[0].at}}, l.overdue)

	l = begin() // one that is slow itself could not have given it up
	for at := 0.2; at < 20; at += 0.5 {
		l.writes(at, b, handBeat)
	}
	require.Empty(t, l.overdue)
	l.writes(25, b, handBeat)
	require.Len(t, l.stalls, 1)
	require.Equal(t, 102, l.stalls[0].pid)
}
