package storetest

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// difficult is text that has to be kept as it is.
const difficult = "\x00 \"\\/\u007f é 世界 👩‍👩‍👧 \u2028 e\u0301\r\n"

// finals leaves one task of each kind that there is, and answers the ids.
func (f *fixture) finals() []uuid.UUID {
	f.Helper()
	great := `{ "text": "é ` + strings.Repeat("0123456789abcdef", 1<<16) + `", "n": 1.00 }`
	all := schema.TaskError{
		Kind: schema.KindExit, Message: difficult, Retryable: true, ExitCode: new(0), Signal: "SIGÉ", StderrTail: difficult,
		Errno: "ENOENT", Forced: true, Leaked: true,
	}
	var ids []uuid.UUID
	run := func(o executor.Outcome, act func(l executor.Lease), set ...func(*executor.Submission)) {
		f.Helper()
		time.Sleep(1001 * time.Microsecond)
		ids = append(ids, f.one(set...))
		time.Sleep(2002 * time.Microsecond)
		l := f.claim()
		time.Sleep(3003 * time.Microsecond)
		act(l)
		f.finish(l, o)
	}
	nothing := func(executor.Lease) {}
	run(completed, nothing)
	run(executor.Outcome{State: schema.Completed, Result: []byte(great)}, func(l executor.Lease) {
		require.NoError(f, l.Started(7))
		require.NoError(f, l.Progress(schema.Progress{Value: 0.1, Total: 1e300, Unit: "世", Message: difficult}))
		for s, text := range []string{"out", "", strings.Repeat("log", 10)} {
			require.NoError(f, l.Write(schema.Stream(s), []byte(text)))
		}
	}, ofType("a type.of-its_own"), withPriority(-100), withInput(great), withRerun(true), withLabels(map[string]string{
		"": "", difficult: "", "k": difficult, "e\u0301": "é", "é": "e\u0301",
	}), func(r *executor.Submission) { r.Timeout, r.Grace = 3*time.Millisecond, 365*24*time.Hour })
	run(executor.Outcome{State: schema.Completed, Result: []byte(`null`)}, nothing, withInput(` [ ] `), withPriority(100))
	run(executor.Outcome{State: schema.Failed, Error: &all}, func(l executor.Lease) {
		require.NoError(f, l.Progress(schema.Progress{}))
		f.cancel(l.Record().ID, executor.Cancellation{Reason: difficult})
	})
	run(executor.Outcome{State: schema.Failed, Error: &schema.TaskError{}}, nothing, func(r *executor.Submission) { r.Grace = 0 })
	run(executor.Outcome{State: schema.Cancelled, Error: &schema.TaskError{Kind: schema.KindCancelled, Message: "x"}}, nothing,
		func(r *executor.Submission) { r.CreatedAt += 3_600_000_000 })
	queued := f.one()
	time.Sleep(time.Millisecond)
	f.cancel(queued, executor.Cancellation{Reason: difficult})
	return append(ids, queued)
}

func restartFinals(f *fixture) {
	ids := f.finals()
	before := make([]executor.Record, len(ids))
	for i, id := range ids {
		before[i] = f.get(id)
	}
	list := func() []schema.Task {
		found, err := f.store.List(f.Context(), executor.Filter{}, executor.PageRequest{Limit: 100})
		require.NoError(f, err)
		return found.Tasks
	}
	listed := list()
	for range 2 {
		f.restart()
		for i, id := range ids {
			require.Equal(f, before[i], f.get(id))
		}
		require.Equal(f, listed, list())
		events := f.replay(0, latest, 100)
		require.Len(f, events, len(ids))
		for i, ev := range events {
			require.Equal(f, asEvent(before[i]), *ev.Task)
		}
	}
	found := f.list(executor.Filter{Labels: map[string]string{"k": difficult, "": "", "é": "e\u0301"}}, executor.PageRequest{Limit: 10})
	require.Equal(f, ids[1:2], found)
	require.Equal(f, ids[1:2], f.list(executor.Filter{Types: []string{"a type.of-its_own"}}, executor.PageRequest{Limit: 10}))
}

// written is what a task of a test has written to a stream.
type written struct {
	id     uuid.UUID
	stream schema.Stream
	text   []byte
}

func restartOutput(f *fixture) {
	var all []written
	for n, size := range []int{0, 1, 4 << 10, 5 << 10, 100 << 10, 900 << 10} {
		id, lease := f.writer()
		for s := range schema.StreamNames {
			var text bytes.Buffer
			for i := 0; text.Len() < size>>s; i++ {
				fmt.Fprintln(&text, n, s, i)
			}
			all = append(all, written{id, schema.Stream(s), text.Bytes()})
			for rest := text.Bytes(); len(rest) > 0; {
				piece := rest[:min(len(rest), 10_000)]
				require.NoError(f, lease.Write(schema.Stream(s), piece))
				rest = rest[len(piece):]
			}
			f.pass(time.Duration(n) * 300 * time.Millisecond)
		}
		f.finish(lease, completed)
	}
	f.restart()
	f.requireOutput(all)
	f.restart()
	f.requireOutput(all)
}

// requireOutput reads output from many offsets. After a crash the end of it
// may be missing; what there is has its place.
func (f *fixture) requireOutput(all []written) {
	f.Helper()
	for _, w := range all {
		size := int64(len(w.text))
		kept := size
		if whole := f.output(w.id, w.stream, from(0, 1<<30)); f.crashes {
			kept = int64(len(whole.Data))
		}
		for _, offset := range []int64{0, 1, size / 3, size/2 + 1, size - 1, size, size + 5} {
			if offset < 0 {
				continue
			}
			for _, limit := range []int64{1, 1000, 1 << 30} {
				p := f.output(w.id, w.stream, from(offset, limit))
				require.True(f, p.Final)
				require.Equal(f, size, p.Total)
				if offset < kept {
					require.Equal(f, offset, p.Offset)
					require.Equal(f, string(w.text[offset:min(offset+limit, kept)]), string(p.Data))
				} else {
					require.Empty(f, p.Data)
					require.Equal(f, size, p.Offset, "where a reader goes on")
				}
			}
		}
	}
}

// restartOutputLimit has streams of which the beginning is not kept.
func restartOutputLimit(f *fixture) {
	text := []byte("0123456789abcdefghijklmnopqrstuvwxyz")
	var ids []uuid.UUID
	for size := range text {
		id, lease := f.writer()
		ids = append(ids, id)
		for i := range size {
			require.NoError(f, lease.Write(schema.Stdout, text[i:i+1]))
			if i%7 == size%7 {
				f.pass(400 * time.Millisecond)
			}
		}
		f.finish(lease, completed)
	}
	f.restart()
	for size, id := range ids {
		p := f.output(id, schema.Stdout, tailAll)
		require.Equal(f, int64(size), p.Total)
		whole := text[max(0, size-ring):size]
		if !f.crashes {
			require.Equal(f, string(whole), string(p.Data))
			continue
		}
		at := int(p.Offset)
		require.LessOrEqual(f, at+len(p.Data), size)
		require.Equal(f, string(text[at:at+len(p.Data)]), string(p.Data))
	}
}
