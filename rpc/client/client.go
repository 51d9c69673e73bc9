package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"syscall"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"github.com/sourcegraph/jsonrpc2"

	"github.com/jobline/jobline/rpc/wire"
	"github.com/jobline/jobline/schema"
)

// Client calls the methods of a server. It can be used by many goroutines.
//
// Where the server answers a call with an error, the call's error is a *wire.Error, which is
// within an *OlderServerError where the server knows less than this package. Where the connection has ended it wraps jsonrpc2.ErrClosed; where a spawned server
// has ended by itself that is within a *ServerEndedError.
type Client struct {
	conn      *jsonrpc2.Conn
	stream    *clientStream
	events    eventQueue
	pipelines pipelines
	child     *child // nil where it was not spawned
	closed    atomic.Bool
}

// New makes a client of a connection, which Close closes. Ctx gives values to the
// connection; its end does not end it.
func New(ctx context.Context, conn io.ReadWriteCloser, framing wire.Framing) *Client {
	c := &Client{}
	c.events.init()
	c.stream = &clientStream{NewStream(conn, framing, clientMaxMessage), c}
	c.conn = jsonrpc2.NewConn(context.WithoutCancel(ctx), c.stream,
		jsonrpc2.HandlerWithError(noMethods), jsonrpc2.SetLogger(silent{}))
	go func() { // ends with the connection
		<-c.conn.DisconnectNotify()
		c.events.end()
	}()
	return c
}

// clientStream hands notifications, and answers to a SubmitAll, to the client itself.
// The jsonrpc2.Conn would decode each of them three times, and a server may send
// hundreds of megabytes.
type clientStream struct {
	*Stream
	client *Client
}

// ReadObject reads the next message that is for the jsonrpc2.Conn.
func (s *clientStream) ReadObject(v any) error {
	for {
		m, err := s.next()
		if err != nil {
			return err
		}
		switch {
		case m.IsResponse() && s.client.pipelines.take(m):
		case m.IsResponse() || m.Check() != nil || m.ID != nil:
			return json.Unmarshal(m.Text, v)
		default:
			s.client.notified(m.MethodName(), m.Params.Raw)
		}
	}
}

// noMethods refuses requests: a server sends none.
func noMethods(context.Context, *jsonrpc2.Conn, *jsonrpc2.Request) (any, error) {
	return nil, &jsonrpc2.Error{Code: int64(schema.CodeMethodNotFound), Message: "a client has no methods"}
}

// clientMaxMessage bounds what a client reads: the longest reply of a server
// with default limits is a batch's, which a Client does not send, or a page's.
const clientMaxMessage = 256 << 20

type silent struct{}

func (silent) Printf(string, ...any) {}

// Close writes what is unsent and closes the connection. It gives up a server that
// reads nothing for a second. Where Spawn has started the server, that ends its
// stdin: Close waits until the server has run all submitted tasks and has ended, and
// answers the error of its process.
func (c *Client) Close() error {
	c.closed.Store(true)
	_ = c.conn.Close() // closed already when the server has ended first
	if c.child == nil {
		return nil
	}
	<-c.child.ended
	return c.child.err
}

// call calls a method whose result is an R. A server of an older version is asked again without
// what it does not know, where that is no more than a part of the answer.
func call[R any](ctx context.Context, c *Client, method string, params any, options ...jsonrpc2.CallOption) (result R, err error) {
	text := wire.AppendJSON(nil, params)
	raw, err := c.callText(ctx, method, text, options)
	if older, ok := errors.AsType[*OlderServerError](err); ok {
		if less, can := older.without(text); can {
			raw, err = c.callText(ctx, method, less, options)
		}
	}
	if err != nil {
		return result, err
	}
	return result, decodeResult(raw, &result)
}

func (c *Client) callText(ctx context.Context, method string, params []byte, options []jsonrpc2.CallOption) (raw json.RawMessage, err error) {
	err = c.conn.Call(ctx, method, json.RawMessage(params), &raw, options...)
	if answer, ok := errors.AsType[*jsonrpc2.Error](err); ok {
		return nil, refusal(method, clientError(answer))
	}
	if err != nil {
		return nil, c.explain(ctx, method, err)
	}
	return raw, nil
}

// explain adds to the error of a call which call it was, and how a spawned server has
// ended.
func (c *Client) explain(ctx context.Context, method string, err error) error {
	if c.child != nil && !c.closed.Load() && ctx.Err() == nil {
		err = c.child.explain(ctx, err)
	}
	return fmt.Errorf("%s: %w", method, err)
}

func clientError(answer *jsonrpc2.Error) *wire.Error {
	e := &wire.Error{Code: schema.Code(answer.Code), Message: answer.Message}
	if answer.Data != nil {
		_ = decodeResult(*answer.Data, &e.Data) // another server's data may be anything
	}
	return e
}

// Initialize introduces the client: its name becomes the label owner of the tasks that
// it submits from then on. A client may do so once, and need not. The error is a
// *wire.Error with schema.CodeInvalidParams where the versions of the protocol do not
// fit.
func (c *Client) Initialize(ctx context.Context, p schema.InitializeParams) (schema.InitializeResult, error) {
	return call[schema.InitializeResult](ctx, c, schema.MethodInitialize, p)
}

// Submit submits a task. With schema.OutputLossless the program must read Events:
// while it does not, the task waits, and so may everything that the server sends,
// also replies to other calls.
func (c *Client) Submit(ctx context.Context, p schema.SubmitParams) (schema.SubmitResult, error) {
	if p.Output != schema.OutputLossless {
		return call[schema.SubmitResult](ctx, c, schema.MethodSubmit, p)
	}
	if p.ID == uuid.Nil { // so that it is known before the first output comes
		var err error
		if p.ID, err = uuid.NewV7(); err != nil {
			return schema.SubmitResult{}, fmt.Errorf("make an id: %w", err)
		}
	}
	c.events.keepAllOutput(p.ID, true)
	result, err := call[schema.SubmitResult](ctx, c, schema.MethodSubmit, p)
	if err != nil || result.State.Final() {
		c.events.keepAllOutput(p.ID, false)
	}
	return result, err
}

// Status answers a task.
func (c *Client) Status(ctx context.Context, p schema.StatusParams) (schema.Task, error) {
	return call[schema.Task](ctx, c, schema.MethodStatus, p)
}

// Cancel tells a task to stop.
func (c *Client) Cancel(ctx context.Context, p schema.CancelParams) (schema.CancelResult, error) {
	return call[schema.CancelResult](ctx, c, schema.MethodCancel, p)
}

// Wait waits until tasks are final. Where ctx ends first, the request is cancelled at
// the server, too.
func (c *Client) Wait(ctx context.Context, p schema.WaitParams) (schema.WaitResult, error) {
	id := jsonrpc2.ID{Str: uuid.NewString(), IsString: true}
	result, err := call[schema.WaitResult](ctx, c, schema.MethodWait, p, jsonrpc2.PickID(id))
	if ctx.Err() != nil {
		params := schema.CancelRequestParams{ID: wire.AppendString(nil, id.Str)}
		_ = c.conn.Notify(context.WithoutCancel(ctx), schema.MethodCancelRequest, json.RawMessage(wire.AppendJSON(nil, params)))
	}
	return result, err
}

// WaitFor waits until one task is final, and answers it.
func (c *Client) WaitFor(ctx context.Context, id uuid.UUID) (schema.Task, error) {
	result, err := c.Wait(ctx, schema.WaitParams{IDs: []uuid.UUID{id}})
	if err != nil {
		return schema.Task{}, err
	}
	if len(result.Tasks) != 1 || result.Tasks[0].ID != id {
		return schema.Task{}, fmt.Errorf("wait: the server has answered with %d tasks, want the task %s alone", len(result.Tasks), id)
	}
	return result.Tasks[0], nil
}

// List answers a page of tasks.
func (c *Client) List(ctx context.Context, p schema.ListParams) (schema.ListResult, error) {
	return call[schema.ListResult](ctx, c, schema.MethodList, p)
}

// Subscribe asks for the events of tasks that anybody has submitted. Events yields
// them with all others. With After the server first sends past events, and then a
// Replayed; an event may come twice, with the same seq. A program that reads too
// slowly misses starts, progress and output of tasks that it has not submitted
// itself: a Replayed follows the ends of those tasks.
func (c *Client) Subscribe(ctx context.Context, p schema.SubscribeParams) (schema.SubscribeResult, error) {
	return call[schema.SubscribeResult](ctx, c, schema.MethodSubscribe, p)
}

// Unsubscribe ends a subscription. Events that have happened before may still come.
func (c *Client) Unsubscribe(ctx context.Context, p schema.UnsubscribeParams) error {
	_, err := call[schema.Empty](ctx, c, schema.MethodUnsubscribe, p)
	return err
}

// Output answers a piece of a stream of a task.
func (c *Client) Output(ctx context.Context, p schema.OutputParams) (schema.OutputResult, error) {
	return call[schema.OutputResult](ctx, c, schema.MethodOutput, p)
}

// Types answers the task types of the server.
func (c *Client) Types(ctx context.Context) (schema.TypesResult, error) {
	return call[schema.TypesResult](ctx, c, schema.MethodTypes, schema.Empty{})
}

// Stats answers the server's counters and limits.
func (c *Client) Stats(ctx context.Context) (schema.StatsResult, error) {
	return call[schema.StatsResult](ctx, c, schema.MethodStats, schema.Empty{})
}

// Discover answers the OpenRPC document of the server.
func (c *Client) Discover(ctx context.Context) (jsontext.Value, error) {
	return call[jsontext.Value](ctx, c, schema.MethodDiscover, schema.Empty{})
}

// Shutdown ends the executor, and returns when it has ended. Where the executor is
// shared, it ends this connection alone, unless the scope is schema.ScopeExecutor.
func (c *Client) Shutdown(ctx context.Context, p schema.ShutdownParams) (schema.ShutdownResult, error) {
	return call[schema.ShutdownResult](ctx, c, schema.MethodShutdown, p)
}

// IsEnded reports whether the error of a call says that the connection has ended.
func IsEnded(err error) bool {
	for _, end := range []error{jsonrpc2.ErrClosed, net.ErrClosed, syscall.EPIPE, syscall.ECONNRESET} {
		if errors.Is(err, end) {
			return true
		}
	}
	return false
}
