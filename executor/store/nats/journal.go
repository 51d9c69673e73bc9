package nats

import (
	"context"
	"errors"
	"sync"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/jobline/jobline/schema"
)

// journal is the log as a process writes and reads it. It may lose, delay, repeat and reorder what is written.
// Reads are in order.
type journal interface {
	// write sends a piece. It does not wait for an answer: a process sees what was recorded when it reads it.
	// After an error the piece may be recorded or not.
	write(piece []byte) error
	// read begins to read entries at a sequence. It answers errLogAnew if the stream is not the one that was
	// read before, and errLogBehind if the log ends before that sequence.
	read(ctx context.Context, from uint64) (entries, error)
	// close ends the connection, and all reads.
	close()
}

// entries are read one after another. After an error nothing more can be read.
type entries interface {
	next(ctx context.Context) (entry, error)
	stop()
}

// errLogAnew says that the stream is not the one whose entries were read.
var errLogAnew = errors.New("the stream of the namespace is not the one that this process has read: it was made anew, or set back to a copy; end this process, and start it again")

// errLogBehind says that the log ends, or seems to end, before the wanted entry: a server that has just become
// the leader of the stream may not know all of it.
var errLogBehind = errors.New("the log ends before what this process has read")

// entry is a piece of a message as it is in the log.
type entry struct {
	sequence uint64 // rises by one
	at       schema.Time
	role     Role // the role of its subject; "" for a subject that is not of the log
	piece    []byte
}

const (
	// heartbeat is how often the servers say that there is nothing new. A pull request can be lost while a
	// cluster makes the consumer; the client notices that after two missing heartbeats.
	heartbeat = 500 * time.Millisecond
	// pullTime is how long one pull request waits for entries.
	pullTime = 10 * time.Second
)

// streamJournal is the journal in a stream of NATS.
type streamJournal struct {
	conn    *natsgo.Conn
	denied  *denials
	js      jetstream.JetStream
	stream  jetstream.Stream
	address Address
	subject string    // to which this process writes
	created time.Time // when the stream was made

	lastReconnect time.Time // when read last forced a reconnect; only read uses it

	mu      sync.Mutex
	reading jetstream.MessagesContext // what the latest read has begun, or nil
}

// reconnectPause is the least time between two forced reconnects.
const reconnectPause = 2 * time.Second

// restoreSubscription reconnects if the servers have refused a subscription for want of a permission. They
// forget such a subscription, so without a new connection it would never be seen that the permission was given
// again. It answers the refusal if it has reconnected a moment ago.
func (j *streamJournal) restoreSubscription() error {
	if !j.denied.lostSubscription() {
		return nil
	}
	if time.Since(j.lastReconnect) < reconnectPause {
		return j.denied.err()
	}
	j.lastReconnect = time.Now()
	j.denied.noteReconnect()
	return j.conn.ForceReconnect()
}

func (j *streamJournal) write(piece []byte) error {
	_, err := j.js.PublishMsgAsync(&natsgo.Msg{Subject: j.subject, Data: piece})
	return err
}

func (j *streamJournal) read(ctx context.Context, from uint64) (entries, error) {
	if err := j.restoreSubscription(); err != nil {
		return nil, err
	}
	consumer, err := askServers(ctx, func(ctx context.Context) (jetstream.Consumer, error) {
		return j.stream.CreateConsumer(ctx, jetstream.ConsumerConfig{
			DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: from, AckPolicy: jetstream.AckNonePolicy,
			MemoryStorage: true, Replicas: 1, InactiveThreshold: time.Minute,
		})
	})
	if err != nil {
		return nil, err
	}
	now, err := askServers(ctx, func(ctx context.Context) (*jetstream.StreamInfo, error) { return j.stream.Info(ctx) })
	switch {
	case err != nil:
		return nil, err
	case !now.Created.Equal(j.created):
		return nil, errLogAnew
	case now.State.LastSeq < from && from > 1:
		return nil, errLogBehind
	}
	messages, err := consumer.Messages(jetstream.PullExpiry(pullTime), jetstream.PullHeartbeat(heartbeat))
	if err != nil {
		return nil, err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.reading = messages
	return streamEntries{j.address, messages}, nil
}

// stopReading ends the current read, so that the follower begins a new one. A connection that breaks may lose
// entries that the servers have sent, and the consumer would go on after them: the gap would show only when the
// next entry comes.
func (j *streamJournal) stopReading() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.reading != nil {
		j.reading.Stop()
	}
}

func (j *streamJournal) close() { j.conn.Close() }

// streamEntries are the entries that a consumer of the stream brings.
type streamEntries struct {
	address  Address
	messages jetstream.MessagesContext
}

func (e streamEntries) next(ctx context.Context) (entry, error) {
	m, err := e.messages.Next(jetstream.NextContext(ctx))
	if err != nil {
		return entry{}, err
	}
	about, err := m.Metadata()
	if err != nil {
		return entry{}, err
	}
	return entry{about.Sequence.Stream, schema.TimeOf(about.Timestamp), e.address.roleOf(m.Subject()), m.Data()}, nil
}

func (e streamEntries) stop() { e.messages.Stop() }
