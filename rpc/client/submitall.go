package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"github.com/sourcegraph/jsonrpc2"

	"github.com/jobline/jobline/rpc/wire"
	"github.com/jobline/jobline/schema"
)

// SubmitAnswer is the answer to one submit of a SubmitAll.
type SubmitAnswer struct {
	// Index counts the submits, from 0.
	Index int
	// ID is the id of the task: where there was one of the same dedupe key to reuse, of that.
	ID uuid.UUID
	// Result is the schema.SubmitResult as the server has written it, or nil.
	Result jsontext.Value
	// Err is the *wire.Error with which the server has refused the task, as of other calls, or nil.
	Err error
	// Pending is how many submits are under way that are not answered yet.
	Pending int
}

// SubmitAll submits many tasks without waiting for the answer to each: at most window
// submits are under way at once. It chooses the ids of tasks that have none. It calls
// answered for each answer, in the order in which the answers come and one at a time.
// It iterates over the tasks in another goroutine; the iteration must end with the
// context that tasks is given. Output must not be schema.OutputLossless.
//
// It returns when all are answered, or with the first error of answered, the cause of
// ctx, or the end of the connection: then the tasks that were not answered may have
// been accepted or not.
func (c *Client) SubmitAll(ctx context.Context, window int, tasks func(context.Context) iter.Seq[schema.SubmitParams], answered func(SubmitAnswer) error) error {
	p := &pipeline{window: make(chan struct{}, window), answers: make(chan pipelinedAnswer, window), ids: map[int]uuid.UUID{}}
	if !c.pipelines.begin(p) {
		return errors.New("another SubmitAll is under way on this connection")
	}
	ctx, stop := context.WithCancelCause(ctx)
	sent := make(chan int, 1) // how many, once all are
	var sender sync.WaitGroup
	sender.Go(func() {
		n, err := c.sendAll(ctx, p, tasks(ctx))
		c.pipelines.sent(n)
		if err != nil {
			stop(err)
		}
		sent <- n
	})
	defer func() {
		stop(nil)
		sender.Wait()
		c.pipelines.end()
	}()
	gone := c.conn.DisconnectNotify()
	for n, total := 0, -1; total < 0 || n < total; {
		if gone == nil && len(p.answers) == 0 {
			return c.explain(ctx, schema.MethodSubmit, jsonrpc2.ErrClosed)
		}
		select {
		case total = <-sent:
		case a := <-p.answers:
			n++
			<-p.window
			if err := answered(a.read(p.pending())); err != nil {
				return err
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-gone: // what was read before is still answered
			gone = nil
		}
	}
	return context.Cause(ctx)
}

// sendAll writes the requests, and answers how many.
func (c *Client) sendAll(ctx context.Context, p *pipeline, tasks iter.Seq[schema.SubmitParams]) (n int, err error) {
	for task := range tasks {
		if task.ID == uuid.Nil {
			if task.ID, err = uuid.NewV7(); err != nil {
				return n, fmt.Errorf("make an id: %w", err)
			}
		}
		select {
		case p.window <- struct{}{}:
		case <-ctx.Done():
			return n, nil
		}
		if err := c.stream.writeRequest(ctx, p.request(n, task.ID), schema.MethodSubmit, task); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// pipelinedPrefix begins the ids of requests of a pipeline. Those of other calls are
// numbers or UUIDs.
const pipelinedPrefix = `"p`

// pipeline are the requests of one SubmitAll.
type pipeline struct {
	first   int                  // the number of its first request on the connection
	window  chan struct{}        // has one for each request that is under way
	answers chan pipelinedAnswer // has room for all of them
	mu      sync.Mutex
	ids     map[int]uuid.UUID // of the tasks of the requests that have no answer
}

// request notes a submit, and answers the id of its request.
func (p *pipeline) request(index int, task uuid.UUID) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ids[index] = task
	return append(strconv.AppendInt([]byte(pipelinedPrefix), int64(p.first+index), 10), '"')
}

// pending counts the requests without an answer, and the answers that were not read yet.
func (p *pipeline) pending() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.ids) + len(p.answers)
}

// answered takes the answer to the request of a number on the connection. It does not
// block, because each request is answered once.
func (p *pipeline) answered(number int, text []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	index := number - p.first
	id, asked := p.ids[index]
	if !asked {
		return // a request of a SubmitAll that was given up
	}
	delete(p.ids, index)
	p.answers <- pipelinedAnswer{index, id, bytes.Clone(text)}
}

// pipelinedAnswer is a response as it was read.
type pipelinedAnswer struct {
	index int
	task  uuid.UUID
	text  []byte
}

func (a *pipelinedAnswer) read(pending int) SubmitAnswer {
	answer := SubmitAnswer{Index: a.index, ID: a.task, Pending: pending}
	var message struct {
		Result jsontext.Value  `json:"result"`
		Error  *jsonrpc2.Error `json:"error"`
	}
	if err := decodeResult(a.text, &message); err != nil {
		answer.Err = err
	} else if message.Error != nil {
		answer.Err = refusal(schema.MethodSubmit, clientError(message.Error))
	}
	answer.Result = message.Result
	if bytes.Contains(answer.Result, []byte(`"existing":true`)) { // few are
		var existing struct {
			ID uuid.UUID `json:"id"`
		}
		if decodeResult(answer.Result, &existing) == nil && existing.ID != uuid.Nil {
			answer.ID = existing.ID
		}
	}
	return answer
}

// pipelines has the pipeline of a client that is under way, if there is one.
type pipelines struct {
	mu   sync.Mutex
	now  *pipeline
	next int // the number of the next request
}

func (ps *pipelines) begin(p *pipeline) bool {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if ps.now != nil {
		return false
	}
	ps.now, p.first = p, ps.next
	return true
}

// sent notes how many requests the pipeline has sent in all.
func (ps *pipelines) sent(n int) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	ps.next += n
}

func (ps *pipelines) end() {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	ps.now = nil
}

// take reports whether a response is for a pipeline, and hands it over. The reader of
// the connection calls it.
func (ps *pipelines) take(m *wire.Message) bool {
	digits, ok := bytes.CutPrefix(m.ID, []byte(pipelinedPrefix))
	if !ok {
		return false
	}
	number, err := strconv.Atoi(string(bytes.TrimSuffix(digits, []byte{'"'})))
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if ps.now != nil && err == nil {
		ps.now.answered(number, m.Text)
	}
	return true
}
