package nats

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// slowJournal is a log in memory whose entries arrive late, if they do.
type slowJournal struct {
	takes time.Duration
	loses func(h head, copies int) bool

	mu      sync.Mutex
	written map[head]int // by the head of the piece
	under   [][]byte     // the next to arrive first
	log     []entry
	more    chan struct{} // closed when the log grows
}

func newSlowJournal(takes time.Duration, loses func(h head, copies int) bool) *slowJournal {
	return &slowJournal{takes: takes, loses: loses, written: map[head]int{}, more: make(chan struct{})}
}

func (j *slowJournal) write(piece []byte) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	h, _, _ := headOf(piece)
	j.written[h]++
	if j.loses(h, j.written[h]) {
		return nil
	}
	j.under = append(j.under, piece)
	time.AfterFunc(j.takes, func() {
		j.mu.Lock()
		defer j.mu.Unlock()
		j.log = append(j.log, entry{uint64(len(j.log) + 1), schema.Now(), RoleExecutor, j.under[0]})
		j.under = j.under[1:]
		close(j.more)
		j.more = make(chan struct{})
	})
	return nil
}

func (j *slowJournal) read(_ context.Context, from uint64) (entries, error) {
	return &slowEntries{j, from}, nil
}

func (j *slowJournal) close() {}

type slowEntries struct {
	*slowJournal
	at uint64
}

func (e *slowEntries) next(ctx context.Context) (entry, error) {
	for {
		e.mu.Lock()
		log, more := e.log, e.more
		e.mu.Unlock()
		if e.at <= uint64(len(log)) {
			e.at++
			return log[e.at-2], nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return entry{}, ctx.Err()
		}
	}
}

func (e *slowEntries) stop() {}

// copies is how many messages were written, and how many copies of them.
func (j *slowJournal) copies() (messages, copies int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, n := range j.written {
		messages, copies = messages+1, copies+n-1
	}
	return messages, copies
}

// submitsOver submits tasks one after another to a store on a journal, which keeps so many messages
// under way.
func submitsOver(t *testing.T, j *slowJournal) {
	s := opensOver(t, j)
	var all sync.WaitGroup
	for range 5 * maxFlights {
		all.Go(func() {
			one := newTask()
			answers, err := s.Submit(t.Context(), []executor.Submission{one})
			require.NoError(t, err)
			require.NoError(t, answers[0].Err)
		})
		synctest.Wait() // so that each is a message
		time.Sleep(time.Millisecond)
	}
	all.Wait()
	counts, err := s.Counts(t.Context())
	require.NoError(t, err)
	require.Equal(t, int64(5*maxFlights), counts.Queued)
	require.NoError(t, s.Close())
}

// Where the servers take longer than a message may be under way at first, few are sent again.
func TestSlowServersGetFewCopies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newSlowJournal(resendAfter*3/2, func(head, int) bool { return false })
		submitsOver(t, j)
		messages, copies := j.copies()
		require.Greater(t, messages, maxFlights)
		require.LessOrEqual(t, copies, 2)
	})
}

// A message that is lost is sent again with those behind it, and each of them once.
func TestLostMessageIsSentAgainOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lost := map[uint64]bool{}
		j := newSlowJournal(10*time.Millisecond, func(h head, copies int) bool {
			if h.number%7 == 0 && copies == 1 {
				lost[h.number] = true
				return true
			}
			return false
		})
		submitsOver(t, j)
		_, copies := j.copies()
		require.NotEmpty(t, lost)
		require.LessOrEqual(t, copies, len(lost)*maxFlights)
	})
}

// While nothing comes at all one message is sent again at a time, at a pace that becomes slower. When
// it has arrived the others follow.
func TestAnOutageGetsFewCopies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const outage = 20 * time.Second
		began := time.Now().Add(25 * time.Millisecond) // the process has joined by then
		j := newSlowJournal(10*time.Millisecond, func(head, int) bool {
			since := time.Since(began)
			return since >= 0 && since < outage
		})
		submitsOver(t, j)
		_, copies := j.copies()
		require.LessOrEqual(t, copies, int(outage/resendAtMost)+2+maxFlights)
		require.Less(t, time.Since(began), outage+resendAtMost+time.Second)
	})
}
