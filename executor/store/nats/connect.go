package nats

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/mod/semver"
)

const (
	// minServer is the oldest version of the NATS server that works.
	minServer = "2.10.0"
	// minPayload is the smallest max_payload of a server that works, in bytes.
	minPayload = 64 << 10
	// maxPiece bounds the bytes of one NATS message. A longer message of this process is sent in pieces.
	maxPiece = 256 << 10
	// connectTimeout bounds one try to connect to one server.
	connectTimeout = 5 * time.Second
)

// Dial connects to one of the servers of an address, and checks its version and max_payload. The caller closes
// the connection, which reconnects by itself. An error of a server that does not answer is ErrUnreachable.
func Dial(a Address, c Credentials) (*natsgo.Conn, error) { return dial(a, c) }

func dial(a Address, c Credentials, more ...natsgo.Option) (*natsgo.Conn, error) {
	options, err := c.options()
	if err != nil {
		return nil, err
	}
	options = append(options, natsgo.Name("jobline"), natsgo.Timeout(connectTimeout), natsgo.MaxReconnects(-1),
		natsgo.ReconnectWait(200*time.Millisecond), natsgo.PingInterval(5*time.Second), natsgo.MaxPingsOutstanding(2),
		natsgo.IgnoreAuthErrorAbort()) // the files of credentials are read again at each try, and may have been renewed
	conn, err := natsgo.Connect(strings.Join(a.Servers, ","), append(options, more...)...)
	if err != nil {
		at, err := mostInformativeError(a, options, err)
		return nil, dialError(at, c, err)
	}
	if err := checkServer(conn); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// mostInformativeError looks for the most useful error if none of several servers could be connected to. NATS
// reports only the error of the last server, which often is one that does not run. It answers the server with
// that error, or the whole address with err if no server answers.
func mostInformativeError(a Address, options []natsgo.Option, err error) (Address, error) {
	if len(a.Servers) == 1 {
		return a, err
	}
	found := make([]error, len(a.Servers))
	var asking sync.WaitGroup
	for i, server := range a.Servers {
		asking.Go(func() {
			conn, err := natsgo.Connect(server, options...)
			if found[i] = err; err == nil { // the server has started meanwhile
				conn.Close()
			}
		})
	}
	asking.Wait()
	at, most := a, noInformation
	for i, found := range found {
		if says := informationIn(found); says > most {
			most, at, err = says, Address{Servers: a.Servers[i : i+1], Namespace: a.Namespace}, found
		}
	}
	return at, err
}

// How much the error of a connection says, in ascending order.
const (
	noInformation = iota
	otherAnswer
	authRefusal
)

func informationIn(err error) int {
	dialled, ok := errors.AsType[*net.OpError](err)
	switch {
	case err == nil, errors.Is(err, natsgo.ErrNoServers), errors.Is(err, natsgo.ErrTimeout), ok && dialled.Op == "dial":
		return noInformation
	case isAuthRefusal(err):
		return authRefusal
	}
	return otherAnswer
}

// checkServer says why a server cannot be used, or nil.
func checkServer(conn *natsgo.Conn) error {
	if v := conn.ConnectedServerVersion(); semver.IsValid("v"+v) && semver.Compare("v"+v, "v"+minServer) < 0 {
		return fmt.Errorf("the NATS server is of version %s; %s or later is needed", v, minServer)
	}
	if most := conn.MaxPayload(); most < minPayload {
		return fmt.Errorf("the NATS server takes messages of at most %d bytes; set its max_payload to %d or more", most, minPayload)
	}
	return nil
}

// connect connects the store, checks its streams, and loads the newest snapshot.
func (s *Store) connect(ctx context.Context) error {
	a := s.options.Address
	conn, err := dial(a, s.options.Credentials,
		natsgo.ErrorHandler(func(_ *natsgo.Conn, _ *natsgo.Subscription, err error) {
			if s.denied.note(err) {
				s.setFault(s.denied.err())
			}
		}))
	if err != nil {
		return err
	}
	js, err := jetstream.New(conn, jetstream.WithPublishAsyncErrHandler(func(_ jetstream.JetStream, _ *natsgo.Msg, err error) { s.setFault(err) }),
		jetstream.WithPublishAsyncTimeout(resendAfter))
	var stream jetstream.Stream
	if err == nil {
		ctx, done := s.denied.cancelOnRefusal(ctx)
		defer done()
		stream, err = askServers(ctx, func(ctx context.Context) (jetstream.Stream, error) { return js.Stream(ctx, a.StreamName()) })
		err = orRefusal(ctx, err)
	}
	if err == nil {
		if err = checkStream(a, stream.CachedInfo().Config); err == nil {
			err = s.takeSettings(stream.CachedInfo().Config)
		}
	} else {
		err = streamError(a, s.options.Credentials, err)
	}
	if err != nil {
		conn.Close()
		return err
	}
	journal := &streamJournal{conn: conn, denied: s.denied, js: js, stream: stream, address: a, subject: a.subject(s.options.Role), created: stream.CachedInfo().Created}
	conn.SetReconnectHandler(func(*natsgo.Conn) {
		journal.stopReading()
		wake(s.resend)
	})
	s.journal, s.conn = journal, conn
	shelf, err := newSnapshotStore(conn, a, stream)
	if err == nil {
		s.snapshotStore = shelf
		err = s.checkSnapshotStream(ctx, shelf)
	}
	if err == nil {
		err = s.load(ctx)
	}
	if err != nil {
		conn.Close()
		return cmp.Or(s.denied.err(), err)
	}
	if s.backlog = stream.CachedInfo().State.LastSeq; s.backlog <= s.applied.Load() {
		close(s.backlogRead)
	}
	s.pieceBytes = int(min(conn.MaxPayload(), maxPiece)) - headBytes - 1024 // of headers
	return nil
}

// streamError says why the stream of a namespace could not be read, and what to do.
func streamError(a Address, c Credentials, err error) error {
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound) && c.File != "":
		return fmt.Errorf("the account of the credentials in %s has no namespace %s yet; make it with: jobline store init %v, or give credentials of the account that has it", c.File, a.Namespace, a)
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return fmt.Errorf("there is no namespace %s yet; make it with: jobline store init %v", a.Namespace, a)
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, natsgo.ErrNoResponders):
		return fmt.Errorf("the NATS server has no JetStream; start it with -js, or with a jetstream block in its configuration")
	case errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount):
		return fmt.Errorf("the account has no JetStream; enable it for the account in the configuration of the server")
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, natsgo.ErrTimeout):
		return unreachable(fmt.Errorf("JetStream does not answer within %v: has its cluster a leader? More than half of its servers must be up", askTimeout))
	}
	return fmt.Errorf("the namespace %s: %w", a.Namespace, err)
}
