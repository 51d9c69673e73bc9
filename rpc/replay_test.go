package rpc_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/executor/store/storetest"
	"github.com/jobline/jobline/rpc"
	"github.com/jobline/jobline/schema"
)

// Whenever a client subscribes with all of the past, it hears of the end of
// every task, in one piece: first what was, by seq, and then what comes.
func TestReplayGoesOverIntoWhatIsNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ex := serverOver(t, memory.New(memory.Options{Keep: 1_000_000}), 4, busy())
		var clients []*peer
		var seqs []uint64
		stop := make(chan struct{})
		count := flood(t, ex, "busy", stop)
		for i := range 5 {
			time.Sleep(time.Duration(i) * time.Millisecond) // the first finds nothing
			p := connect(t, ex, rpc.Options{})
			clients, seqs = append(clients, p), append(seqs, p.subscribe(`{"after":0}`).Seq)
		}
		time.Sleep(2 * time.Millisecond)
		close(stop)
		total := <-count
		require.Greater(t, total, 500)
		for i, p := range clients {
			t.Logf("%d of about %d events are of the past", seqs[i], 25*total)
			requireWholeStory(t, p, seqs[i], total)
			p.conn.Close()
		}
		require.Positive(t, seqs[4])
	})
}

// requireWholeStory reads the ends of so many tasks.
func requireWholeStory(t *testing.T, p *peer, through uint64, tasks int) {
	last, final := map[uuid.UUID]uint64{}, map[uuid.UUID]bool{}
	replayed, at := false, uint64(0)
	for len(final) < tasks || !replayed {
		m := p.next()
		if m.Method == schema.NotifyReplayed {
			require.False(t, replayed)
			require.Equal(t, through, m.Params.Seq)
			require.Nil(t, m.Params.Missed)
			replayed = true
			continue
		}
		require.Greater(t, m.Params.Seq, at, "by seq")
		require.Equal(t, replayed, m.Params.Seq > through)
		require.False(t, final[m.Params.ID], "nothing after the end")
		at, last[m.Params.ID] = m.Params.Seq, m.Params.Seq
		final[m.Params.ID] = m.Method == schema.NotifyFinished
		if !final[m.Params.ID] {
			delete(final, m.Params.ID)
		}
		if !replayed {
			require.Contains(t, []string{schema.NotifyStarted, schema.NotifyFinished}, m.Method)
		}
	}
}

// A connection that is sent the past of its own tasks, too, can tell by their
// seq what it has seen: what is new rises.
func TestReplayOfOwnTasks(t *testing.T) {
	p := connect(t, server(t, 4, busy()), rpc.Options{OnEOF: rpc.EOFDrain})
	const count = 600
	go func() {
		for i := range count {
			p.send(submitLine(i, uuid.New(), "busy", ""))
			if i%20 == 0 {
				p.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":"s","method":"subscribe","params":{"after":0,%s}}`, allEvents),
					fmt.Sprintf(`{"jsonrpc":"2.0","id":"u","method":"unsubscribe","params":{"subscription":%d}}`, i/10)) // half of them are there
			}
		}
		p.send(`{"jsonrpc":"2.0","method":"shutdown"}`)
	}()
	type story struct {
		seq     uint64
		started bool
		final   bool
		next    int64
	}
	tasks, again := map[uuid.UUID]*story{}, 0
	for _, m := range p.all() {
		switch m.Method {
		case "", schema.NotifyReplayed:
			continue
		}
		s := tasks[m.Params.ID]
		if s == nil {
			s = &story{}
			tasks[m.Params.ID] = s
		}
		if m.Params.Seq <= s.seq {
			require.Contains(t, []string{schema.NotifyStarted, schema.NotifyFinished}, m.Method, "only the past comes again")
			again++
			continue
		}
		require.False(t, s.final)
		require.Equal(t, m.Method != schema.NotifyStarted, s.started)
		s.seq, s.started, s.final = m.Params.Seq, true, m.Method == schema.NotifyFinished
		if m.Params.Stream == "stdout" {
			require.Equal(t, s.next, m.Params.Offset)
			s.next += int64(len(m.Params.Data))
		}
	}
	require.Len(t, tasks, count)
	for _, s := range tasks {
		require.True(t, s.final)
		require.EqualValues(t, 30, s.next)
	}
	require.Positive(t, again)
}

// large is a task with a result of so many bytes.
func large(size int) executor.Type {
	text := strings.Repeat("a", size-2) // two are the quotes
	return executor.MustDefine("large", func(context.Context, nothing) (string, error) { return text, nil })
}

// runMany runs tasks, and answers the seq of the end of each.
func runMany(t *testing.T, ex *executor.Executor, typ string, count int) map[uuid.UUID]uint64 {
	ends := map[uuid.UUID]uint64{}
	w, err := ex.Watch(t.Context())
	require.NoError(t, err)
	defer w.Close()
	for range count {
		record, err := ex.Prepare(&schema.SubmitParams{Type: typ, Events: []string{"finished"}})
		require.NoError(t, err)
		record.Owner = w.ID()
		_, err = ex.Submit(t.Context(), []executor.Submission{record})
		require.NoError(t, err)
	}
	for len(ends) < count {
		events, err := w.Next(t.Context())
		require.NoError(t, err)
		for _, ev := range events {
			ends[ev.ID] = ev.Seq
		}
	}
	return ends
}

// Where tasks are forgotten while a slow client is sent the past, it is told
// which may be missing, and gets all others.
func TestReplayOvertakenByRetention(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const keep = 1000
		ex := serverOver(t, memory.New(memory.Options{Keep: keep}), 2, large(8<<10))
		before := runMany(t, ex, "large", keep)
		p := connect(t, ex, rpc.Options{})
		s := p.subscribe(`{"after":0}`)
		synctest.Wait() // about 1 MiB is sent, and nobody reads
		after := runMany(t, ex, "large", keep/2)

		got := map[uuid.UUID]bool{}
		var missed *schema.Missed
		for len(got) < keep/2 || missed == nil {
			m := p.next()
			if m.Method == schema.NotifyReplayed {
				missed = m.Params.Missed
				require.NotNil(t, missed)
				require.Equal(t, s.Subscription, m.Params.Subscription)
				continue
			}
			got[m.Params.ID] = m.Method == schema.NotifyFinished
		}
		for range after { // the rest of what is new
			synctest.Wait()
		}
		require.Less(t, missed.After, missed.Through)
		lost := 0
		for id, seq := range before {
			if !got[id] {
				require.True(t, missed.After < seq && seq <= missed.Through, "%d is not told of", seq)
				lost++
			}
		}
		require.Positive(t, lost)
		require.Less(t, lost, keep/2+1, "what is kept is sent")
		p.conn.Close()
	})
}

// A store that cannot be read in the middle of it is told of, too.
func TestReplayOfAFailingStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := storetest.Faulty(memory.New(memory.Options{})).Fail("Replay", 3) // the first asks what is kept
		ex := serverOver(t, store, 2)
		ends := runMany(t, ex, "noop", 300)
		p := connect(t, ex, rpc.Options{})
		s := p.subscribe(`{"after":0,"events":["finished"]}`)
		most := uint64(0)
		for n := 0; ; n++ {
			m := p.next()
			if m.Method == schema.NotifyFinished {
				most = max(most, m.Params.Seq)
				continue
			}
			require.Equal(t, 256, n)
			require.Equal(t, &schema.Missed{After: most, Through: s.Seq}, m.Params.Missed)
			break
		}
		p.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"subscribe","params":{"after":%d}}`, most))
		require.Nil(t, p.next().Error)
		for range len(ends) - 256 {
			require.Greater(t, p.next().Params.Seq, most)
		}
		require.Nil(t, p.next().Params.Missed)

		store.Break("Replay")
		p.send(`{"jsonrpc":"2.0","id":2,"method":"subscribe","params":{"after":0}}`)
		requireCode(t, schema.CodeStoreUnavailable, p.next()) // and nothing has begun
		p.conn.Close()
	})
}

// A slow client is sent the past page by page: what it has not read costs
// little, also when it gives up the subscription, or its connection, and a
// shutdown is answered behind what it has asked for.
func TestReplayToASlowClient(t *testing.T) {
	const tasks, size = 20, 1 << 20
	store := storetest.Faulty(memory.New(memory.Options{KeepBytes: 2 * tasks * size}))
	ex := serverOver(t, store, 2, large(size))
	runMany(t, ex, "large", tasks)
	before := heap()
	slow, gone, done := connect(t, ex, rpc.Options{}), connect(t, ex, rpc.Options{}), connect(t, ex, rpc.Options{})
	var ids []uint32
	for _, p := range []*peer{slow, gone, done} {
		one := `{"jsonrpc":"2.0","id":"s","method":"subscribe","params":{"after":0}}`
		p.send("[" + one + "," + one + "," + one + "]")
		for _, reply := range p.next().Batch {
			var r schema.SubscribeResult
			unmarshal(t, reply.Result, &r)
			ids = append(ids, r.Subscription)
		}
	}
	require.Less(t, heap(), before+(16<<20), "the past is 60 MiB for each")
	for _, id := range ids[6:] {
		done.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":"u","method":"unsubscribe","params":{"subscription":%d}}`, id))
	}
	own := uuid.NewString()
	done.send(`{"jsonrpc":"2.0","id":"own","method":"submit","params":{"type":"noop","events":[],"id":"`+own+`"}}`,
		`{"jsonrpc":"2.0","id":"over","method":"wait","params":{"ids":["`+own+`"]}}`)
	ended := 0
	for m := done.next(); string(m.ID) != `"over"`; m = done.next() {
		require.NotEqual(t, schema.NotifyReplayed, m.Method, "nobody asks any more")
		if m.Method == schema.NotifyFinished {
			ended++
		}
	}
	require.Less(t, ended, tasks/2)
	require.NoError(t, gone.conn.Close())
	slow.send(`{"jsonrpc":"2.0","id":"end","method":"shutdown"}`)
	ends, replayed := 0, 0
	var last message
	for _, last = range slow.all() {
		switch last.Method {
		case schema.NotifyFinished:
			ends++
		case schema.NotifyReplayed:
			replayed++
		}
	}
	require.Equal(t, 3, replayed)
	require.Equal(t, 3*tasks+1, ends, "the past three times, and what was new once")
	require.Equal(t, `"end"`, string(last.ID))
}

// The past is sent before all that happens after the subscription, however
// soon that is.
func TestReplayComesBeforeWhatHappensAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &eventfulStore{Store: memory.New(memory.Options{}), happens: func() {}}
		ex := serverOver(t, store, 1) // one after the other, so that the numbers are known
		runMany(t, ex, "noop", 2)
		p := connect(t, ex, rpc.Options{})
		p.send(`{"jsonrpc":"2.0","id":1,"method":"types"}`)
		require.Nil(t, p.next().Error)
		store.happens = func() { runMany(t, ex, "noop", 2) }
		s := p.subscribe(`{"after":0,"events":["finished"]}`)
		require.EqualValues(t, 10, s.Seq)
		store.happens = func() {}
		for _, want := range []uint64{5, 10, 10, 15, 20} { // the third is subscription/replayed
			require.Equal(t, want, p.next().Params.Seq)
		}
		p.conn.Close()
	})
}

// eventfulStore is a store in which something happens just before a watcher
// has set a mark.
type eventfulStore struct {
	executor.Store
	happens func()
}

func (s *eventfulStore) Watch(ctx context.Context) (executor.Watcher, error) {
	w, err := s.Store.Watch(ctx)
	return eventfulWatcher{w, s}, err
}

type eventfulWatcher struct {
	executor.Watcher
	store *eventfulStore
}

func (w eventfulWatcher) Barrier(ctx context.Context) error {
	w.store.happens()
	return w.Watcher.Barrier(ctx)
}

// Types of which this program knows nothing may be asked for; aliases are the
// names they stand for.
func TestSubscriptionByType(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := connect(t, server(t, 1), rpc.Options{})
		p.subscribe(`{"types":["of another program","bubble"],"events":["finished"]}`)
		for _, typ := range []string{"noop", "bbo", "bubble", "bubbleBathOptimization"} {
			p.send(`{"jsonrpc":"2.0","id":1,"method":"submit","params":{"type":"` + typ + `","events":[]}}`)
			require.Nil(t, p.next().Error)
			if typ != "noop" {
				require.Equal(t, schema.NotifyFinished, p.next().Method)
			}
		}
		p.conn.Close()
	})
}

// What a store says of itself is in stats.
func TestStatsOfTheStore(t *testing.T) {
	store := faultOf{memory.New(memory.Options{})}
	p := connect(t, serverOver(t, store, 1), rpc.Options{})
	p.send(`{"jsonrpc":"2.0","id":1,"method":"stats"}`)
	var stats schema.StatsResult
	unmarshal(t, p.next().Result, &stats)
	require.Equal(t, schema.StoreStats{Name: "memory", Durable: true, File: "tasks.db", Fault: "the disk is full"}, stats.Store)
	require.EqualValues(t, 64, stats.Limits["subscriptions"])
}

type faultOf struct{ executor.Store }

func (s faultOf) Info() executor.StoreInfo {
	info := s.Store.Info()
	info.Durable, info.File, info.Fault = true, "tasks.db", "the disk is full"
	return info
}
