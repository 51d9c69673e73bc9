package cmd

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor/store/nats/natstest"
	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/rpc/wire"
	"github.com/jobline/jobline/schema"
)

// historyTask is a task of a driver, and what the driver was told of it.
type historyTask struct {
	params    schema.SubmitParams
	answered  bool
	made      int // submits that were answered as new
	cancelled bool
	seq       uint64 // of its end
	end       *schema.Task
}

// driverOf submits tasks to a server of its own, which it starts again where that ends.
type driverOf struct {
	*trial
	number  int
	random  *rand.Rand
	network []*natstest.Proxy
	args    []string

	mu       sync.Mutex
	changed  *sync.Cond
	server   *exec.Cmd
	tasks    []*historyTask
	byID     map[uuid.UUID]*historyTask
	released int            // tasks that may be submitted
	ends     int            // tasks whose end was told
	seq      uint64         // of the latest event
	starts   int            // of its server
	last     *client.Client // of the server with which all was done
}

func newDriverOf(h *trial, number int, random *rand.Rand, tasks int) *driverOf {
	d := &driverOf{trial: h, number: number, random: random, byID: map[uuid.UUID]*historyTask{}}
	d.changed = sync.NewCond(&d.mu)
	var urls []string
	for _, url := range h.at.Servers {
		p := natstest.NewProxy(h, url)
		d.network = append(d.network, p)
		urls = append(urls, strings.TrimPrefix(p.URL(), "nats://"))
	}
	d.args = []string{
		"serve", "--ignore-env", "--limit=4", "--store=nats://" + strings.Join(urls, ",") + "/" + h.at.Namespace, "--store-lease=" + historyLease.String(),
		"--keep=1000000", "--keep-bytes=4G", "--max-queued=1000000",
	}
	for n := range tasks {
		task := &historyTask{params: d.submit(n)}
		d.tasks = append(d.tasks, task)
		d.byID[task.params.ID] = task
	}
	return d
}

// submit are the params of a task.
func (d *driverOf) submit(n int) schema.SubmitParams {
	in := ledgerInput{File: d.ledger()}
	s := schema.SubmitParams{
		Type: "ledger", Labels: map[string]string{"driver": fmt.Sprint(d.number)}, Events: []string{}, GraceMs: new(int64(500)), Rerun: new(false),
	}
	for i := range s.ID {
		s.ID[i] = byte(d.random.Uint32())
	}
	s.ID[6], s.ID[8] = s.ID[6]&0x0f|0x40, s.ID[8]&0x3f|0x80
	switch d.random.IntN(10) {
	case 0:
		s.Group = "g"
	case 1:
		s.Key = fmt.Sprint("k", d.random.IntN(4))
	case 2, 3:
		s.Rerun = new(true)
	case 4:
		s.Priority = new(d.random.IntN(10))
	}
	if d.random.IntN(8) == 0 {
		in.Ms = d.random.IntN(20)
	}
	if n%100 == 50 {
		in.Ms, in.Deaf = int(historyLease.Milliseconds())*2, true
	}
	s.Input, _ = json.Marshal(in)
	if n%200 == 99 {
		s.Type, s.Group, s.Key, s.Rerun = "exec", "", "", new(false)
		s.Input, _ = json.Marshal(map[string][]string{"argv": {"sh", "-c", `now=$(date +%s%6N); echo "begins $0 1 $$ $now
ends $0 1 $$ $now" >>"$1"`, s.ID.String(), in.File}})
	}
	return s
}

// release lets the driver submit its first tasks.
func (d *driverOf) release(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.released = n
	d.changed.Broadcast()
}

// drain waits until at most so many tasks that were released have not ended.
func (d *driverOf) drain(ctx context.Context, most int) {
	over := context.AfterFunc(ctx, d.wake)
	defer over()
	d.mu.Lock()
	defer d.mu.Unlock()
	for d.released-d.ends > most && ctx.Err() == nil {
		d.changed.Wait()
	}
}

func (d *driverOf) wake() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.changed.Broadcast()
}

// signalServer sends a signal to the server that was started last. It answers the number of its process, or noServer.
func (d *driverOf) signalServer(s os.Signal) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.server == nil {
		return noServer
	}
	_ = d.server.Process.Signal(s)
	return d.server.Process.Pid
}

// kills kills the server if it is the process with a number.
func (d *driverOf) kills(pid int) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.server != nil && d.server.Process.Pid == pid && d.server.Process.Kill() == nil
}

func stopSignals() (stops, goesOn os.Signal) { return syscall.SIGSTOP, syscall.SIGCONT }

// run submits all tasks and hears of their ends, with as many servers as it takes. The last one goes
// on until the test is over.
func (d *driverOf) run(ctx context.Context) {
	for ctx.Err() == nil && d.last == nil {
		if err := d.serveOnce(ctx); err != nil {
			d.note("driver %d: %v", d.number, err)
			d.pause(ctx, 100*time.Millisecond)
		}
	}
}

func (d *driverOf) over() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.released == len(d.tasks) && d.ends == len(d.tasks) && !slices.ContainsFunc(d.tasks, func(t *historyTask) bool { return !t.answered })
}

// left tells of some of the tasks that have not ended.
func (d *driverOf) left() {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := 0
	for i, t := range d.tasks {
		if t.end == nil && n < 3 {
			n++
			d.violates("driver %d: of %d tasks %d have ended; number %d, %v, was answered: %v, and has no end", d.number, len(d.tasks), d.ends, i, t.params.ID, t.answered)
		}
	}
}

// connect starts a server.
func (d *driverOf) connect(ctx context.Context) (*client.Client, error) {
	server := exec.Command("ledger", d.args...)
	said, err := os.OpenFile(filepath.Join(d.folder, fmt.Sprintf("server%d.log", d.number)), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	server.Stderr = said
	server.Env = append(os.Environ(), ledgerEnv+"="+d.ledger())
	c, err := client.Spawn(ctx, server)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.server = server
	d.starts++
	d.serverOf(server.Process.Pid, d.number)
	return c, nil
}

// serveOnce works with one server until it ends, or all is done.
func (d *driverOf) serveOnce(ctx context.Context) (err error) {
	c, err := d.connect(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	var reading sync.WaitGroup
	defer func() {
		if err == nil {
			d.last = c
			d.Cleanup(func() { _ = c.Close() })
			return
		}
		cancel(err)
		d.happened(historyCause{kind: "its driver ended it", pid: d.signalServer(os.Kill), from: schema.Now()})
		_ = c.Close()
		reading.Wait()
	}()
	if _, err := c.SetGroup(ctx, schema.SetGroupParams{Name: "g", Limit: new(historyGroupLimit)}); err != nil {
		return err
	}
	d.mu.Lock()
	after := d.seq
	d.mu.Unlock()
	if _, err := c.Subscribe(ctx, schema.SubscribeParams{After: &after, Labels: map[string]string{"driver": fmt.Sprint(d.number)}, Events: []string{schema.EventFinished}}); err != nil {
		return err
	}
	reading.Go(func() {
		for e := range c.Events(ctx) {
			d.hear(&e)
		}
		cancel(errors.New("the events have ended"))
	})
	over := context.AfterFunc(ctx, d.wake)
	defer over()
	for {
		batch := d.next(ctx)
		if batch == nil {
			return context.Cause(ctx)
		}
		if err := d.submits(ctx, c, batch); err != nil {
			return err
		}
	}
}

// next are tasks to submit. It is nil when ctx ends, or nothing is left to do.
func (d *driverOf) next(ctx context.Context) (batch []*historyTask) {
	for !d.over() && ctx.Err() == nil {
		d.mu.Lock()
		for _, t := range d.tasks[:d.released] {
			if !t.answered && len(batch) < 256 {
				batch = append(batch, t)
			}
		}
		if batch == nil {
			d.changed.Wait()
		}
		d.mu.Unlock()
		if batch != nil {
			return batch
		}
	}
	return nil
}

// submits submits tasks, and cancels a few.
func (d *driverOf) submits(ctx context.Context, c *client.Client, batch []*historyTask) error {
	err := c.SubmitAll(ctx, 64, func(context.Context) iter.Seq[schema.SubmitParams] {
		return func(yield func(schema.SubmitParams) bool) {
			for _, t := range batch {
				if !yield(t.params) {
					return
				}
			}
		}
	}, func(a client.SubmitAnswer) error { return d.answered(batch[a.Index], a) })
	if err != nil {
		return err
	}
	for range 1 + len(batch)/50 {
		t := batch[d.random.IntN(len(batch))]
		d.mu.Lock()
		t.cancelled = true
		d.mu.Unlock()
		if _, err := c.Cancel(ctx, schema.CancelParams{ID: t.params.ID}); client.IsEnded(err) {
			return err
		}
	}
	return nil
}

// answered notes the answer of a submit. One that nothing became of is submitted again.
func (d *driverOf) answered(t *historyTask, a client.SubmitAnswer) error {
	if refused, is := errors.AsType[*wire.Error](a.Err); is {
		if refused.Code != schema.CodeStoreUnavailable {
			d.violates("driver %d: a submit is refused: %v", d.number, a.Err)
			return a.Err
		}
		d.note("driver %d: a submit of %v: %v", d.number, t.params.ID, a.Err)
		return nil
	}
	var r schema.SubmitResult
	require.NoError(d, json.Unmarshal(a.Result, &r))
	d.mu.Lock()
	defer d.mu.Unlock()
	t.answered = true
	if !r.Existing {
		t.made++
	}
	d.changed.Broadcast()
	return nil
}

// hear notes an event. What a driver has asked for comes after all that it was told, so the numbers of ends rise.
func (d *driverOf) hear(e *client.Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case e.Finished != nil:
		t := d.byID[e.Finished.ID]
		switch {
		case t == nil:
			d.violates("driver %d was told of a task of another driver: %v", d.number, e.Finished.ID)
			return
		case t.end != nil:
			d.violates("driver %d was told two ends of task %v, at %d and %d", d.number, t.params.ID, t.seq, e.Finished.Seq)
		case e.Finished.Seq <= d.seq:
			d.violates("driver %d was told the end of task %v, at %d, behind what is at %d", d.number, t.params.ID, e.Finished.Seq, d.seq)
		}
		if t.end == nil {
			t.end, t.seq = &e.Finished.Task, e.Finished.Seq
			d.ends++
		}
		d.seq = max(d.seq, e.Finished.Seq)
		d.changed.Broadcast()
	case e.Replayed != nil:
		d.seq = max(d.seq, e.Replayed.Seq)
		if e.Replayed.Missed != nil {
			d.violates("driver %d has missed events: %+v", d.number, *e.Replayed.Missed)
		}
	case e.Lost != nil:
		d.violates("driver %d has lost events: %+v", d.number, *e.Lost)
	}
}
