package cmd

import (
	"bytes"
	"context"
	"encoding/binary"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor/store/nats"
	"github.com/jobline/jobline/schema"
)

// watchedLog reads the log of a namespace as it is written, and knows of it no more than who wrote
// when, who lives, and who was given up.
type watchedLog struct {
	conn *natsgo.Conn
	js   jetstream.JetStream
	end  context.CancelFunc

	reading  sync.WaitGroup
	mu       sync.Mutex
	read     uint64
	latest   time.Time
	writers  map[uuid.UUID]*logWriter
	fences   []logFence
	refused  int           // messages of writers that were given up
	pause    time.Duration // the longest between two messages
	stops    []*logStop
	elected  time.Duration // the longest pause in which the log had no leader for a while
	messages int
	takings  []logTaking
	gaps     []logSpan // in which entries were gone before they were read
	silences []logSpan // of all writers
	late     []logSpan // in which what was read was late
	stalls   []logStall
	byPID    map[int]time.Time // when a process has written last
	overdue  []logOverdue

	snapshots watchedSnapshots
}

// logSpan is some time.
type logSpan struct{ from, to time.Time }

// logStop is that a server of NATS stopped.
type logStop struct {
	at    time.Time
	leads bool
	led   time.Time // when the log had a leader again; zero where that is not known yet
}

// logStall is that a process has written nothing for a while.
type logStall struct {
	pid int
	logSpan
}

// stallTold is how long a process must have written nothing for that to be a stall. It beats far more often.
const stallTold = 2 * time.Second

// logWriter is a process that writes to the log.
type logWriter struct {
	pid     int
	passed  bool   // its process is not that of a server
	unsure  bool   // whether last is that of its latest message
	last    uint64 // number of a message
	at      time.Time
	partial []byte
	heard   time.Time   // when its latest whole message came
	beats   []time.Time // since its latest pause
	gone    bool
	quiet   logSpan // its latest pause that was longer than a part of the lease
}

// logFence says that a process was given up.
type logFence struct {
	silent  time.Duration // by the log's times
	unheard time.Duration // since its latest whole message
	beats   int           // of the process that gave it up, while that one made no pause
}

// logChange has what is read of a change.
type logChange struct {
	Hello *struct {
		PID int `json:"pid"`
	} `json:"hello"`
	Seen  *struct{}    `json:"seen"`
	Leave bool         `json:"leave"`
	Drop  bool         `json:"drop"`
	Taken []logAttempt `json:"leases"`
	Fence *struct {
		Peer uuid.UUID `json:"peer"`
		Last uint64    `json:"last"`
	} `json:"fence"`
}

// beatTime is how often a process beats.
const beatTime = historyLease / 5

// watchLog watches the log until finish. kills kills the server that is a process, if there is one.
func watchLog(t *testing.T, at nats.Address, kills func(pid int) bool) *watchedLog {
	conn, err := natsgo.Connect(strings.Join(at.Servers, ","), natsgo.MaxReconnects(-1), natsgo.ReconnectWait(50*time.Millisecond))
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	require.NoError(t, err)
	w := newWatchedLog()
	w.conn, w.js = conn, js
	ctx, cancel := context.WithCancel(t.Context())
	w.end = cancel
	_, err = conn.Subscribe("jls."+at.Namespace+".>", func(m *natsgo.Msg) { w.piece(m, kills) })
	require.NoError(t, err)
	w.reading.Go(func() {
		for ctx.Err() == nil {
			w.follow(ctx, at)
		}
	})
	return w
}

func newWatchedLog() *watchedLog {
	w := &watchedLog{writers: map[uuid.UUID]*logWriter{}, byPID: map[int]time.Time{}}
	w.snapshots.left = -1
	return w
}

// follow reads the log with one consumer.
func (w *watchedLog) follow(ctx context.Context, at nats.Address) {
	asking, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	c, err := w.js.CreateConsumer(asking, "JL_"+at.Namespace, jetstream.ConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: w.readTo() + 1, AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true, Replicas: 1,
	})
	if err != nil {
		return
	}
	all, err := c.Messages(jetstream.PullHeartbeat(500*time.Millisecond), jetstream.PullExpiry(5*time.Second))
	if err != nil {
		return
	}
	defer all.Stop()
	for {
		m, err := all.Next(jetstream.NextContext(ctx))
		if err != nil {
			return
		}
		about, err := m.Metadata()
		if err != nil || about.Sequence.Stream != w.readTo()+1 && !w.gap(ctx, at, about) {
			return
		}
		w.take(about.Sequence.Stream, m.Data(), about.Timestamp, time.Now())
	}
}

func (w *watchedLog) readTo() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.read
}

// gap reports whether the entries before one are gone, and notes that. They may have been read only by those that need
// them.
func (w *watchedLog) gap(ctx context.Context, at nats.Address, next *jetstream.MsgMetadata) bool {
	now := w.info(ctx, at)
	if now == nil || now.State.FirstSeq <= w.readTo()+1 {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.gaps = append(w.gaps, logSpan{w.latest, next.Timestamp})
	w.latest = time.Time{}
	clear(w.byPID)
	for _, from := range w.writers {
		from.unsure, from.partial, from.beats = true, nil, nil
	}
	w.read = next.Sequence.Stream - 1
	return true
}

// take notes an entry, which was read at a time: a byte, who wrote it, its number, whether more follows, and the text.
func (w *watchedLog) take(sequence uint64, piece []byte, at, read time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.read = sequence
	w.messages++
	if !w.latest.IsZero() {
		w.pause = max(w.pause, at.Sub(w.latest))
		if at.Sub(w.latest) > beatTime {
			w.silences = append(w.silences, logSpan{w.latest, at})
		}
	}
	if read.Sub(at) > beatTime {
		w.late = append(w.late, logSpan{at, read})
	}
	w.latest = at
	id, number := uuid.UUID(piece[1:17]), binary.BigEndian.Uint64(piece[17:])
	from := w.writers[id]
	if from == nil {
		from = new(logWriter)
		w.writers[id] = from
	}
	switch {
	case from.gone:
		w.refused++
		return
	case number != from.last+1 && !from.unsure: // it came before
		return
	}
	from.unsure = false
	if !from.at.IsZero() && at.Sub(from.at) > 2*beatTime {
		from.beats, from.quiet = nil, logSpan{from.at, at}
	}
	from.last, from.at = number, at
	w.wrote(from.pid, at)
	if from.partial = append(from.partial, piece[26:]...); piece[25] == 0 {
		text := from.partial
		from.partial, from.heard = nil, at
		w.apply(from, text, at)
	}
}

// wrote notes that a process has written.
func (w *watchedLog) wrote(pid int, at time.Time) {
	if pid == 0 {
		return
	}
	if before := w.byPID[pid]; !before.IsZero() && at.Sub(before) > stallTold {
		w.stalls = append(w.stalls, logStall{pid, logSpan{before, at}})
	}
	w.byPID[pid] = at
}

// apply notes what a message says of processes.
func (w *watchedLog) apply(from *logWriter, text []byte, at time.Time) {
	n, used := binary.Uvarint(text)
	text = text[used:][:n]
	if !slices.ContainsFunc([]string{"hello", "fence", "seen", "leave", "drop"}, func(name string) bool { return bytes.Contains(text, []byte(`"`+name+`"`)) }) {
		return
	}
	var changes []logChange
	if json.Unmarshal(text, &changes) != nil {
		return
	}
	for _, c := range changes {
		switch {
		case c.Hello != nil:
			from.pid = c.Hello.PID
		case c.Seen != nil:
			from.beats = append(from.beats, at)
			w.checkOverdue(from, at)
		case c.Drop:
			since := at.Add(-historyLease)
			if at.Sub(from.quiet.to) < 2*stallTold {
				since = from.quiet.from
			}
			w.takings = append(w.takings, logTaking{byDrop, schema.TimeOf(at), from.pid, schema.TimeOf(since), c.Taken})
		case c.Leave:
			from.gone = true
			w.takings = append(w.takings, logTaking{byLeave, schema.TimeOf(at), from.pid, schema.TimeOf(at), nil})
		case c.Fence != nil:
			dead := w.writers[c.Fence.Peer]
			if dead == nil || dead.gone || dead.last != c.Fence.Last {
				continue
			}
			dead.gone = true
			w.fences = append(w.fences, logFence{silent: at.Sub(dead.at), unheard: at.Sub(dead.heard), beats: from.beatsSince(dead.at)})
			w.takings = append(w.takings, logTaking{byFence, schema.TimeOf(at), dead.pid, schema.TimeOf(dead.at), nil})
		}
	}
}

// stopped notes that a server of NATS stops, which led the log or not.
func (w *watchedLog) stopped(leads bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stops = append(w.stops, &logStop{at: time.Now(), leads: leads})
}

// led notes that the log has a leader.
func (w *watchedLog) led() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.stops {
		if s.led.IsZero() {
			s.led = time.Now()
		}
	}
}

// unread reports whether entries may be missing between two times.
func (w *watchedLog) unread(from, to schema.Time) bool {
	return slices.ContainsFunc(w.gaps, func(s logSpan) bool { return schema.TimeOf(s.from) <= to && schema.TimeOf(s.to) >= from })
}

// leader is the name of the server of NATS that leads the log.
func (w *watchedLog) leader(ctx context.Context, at nats.Address) string {
	if about := w.info(ctx, at); about != nil && about.Cluster != nil {
		return about.Cluster.Leader
	}
	return ""
}

// whole reports whether all servers have the log, and how long it is.
func (w *watchedLog) whole(ctx context.Context, at nats.Address) bool {
	about := w.info(ctx, at)
	if about == nil || about.Cluster == nil || about.Cluster.Leader == "" || len(about.Cluster.Replicas) != historyNodes-1 {
		return false
	}
	for _, r := range about.Cluster.Replicas {
		if !r.Current || r.Offline {
			return false
		}
	}
	return true
}

func (w *watchedLog) info(ctx context.Context, at nats.Address) *jetstream.StreamInfo {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	stream, err := w.js.Stream(ctx, "JL_"+at.Namespace)
	if err != nil {
		return nil
	}
	return stream.CachedInfo()
}

// stepDown lets another server lead the log.
func (w *watchedLog) stepDown(ctx context.Context, at nats.Address) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	w.stopped(true)
	_, _ = w.conn.RequestWithContext(ctx, "$JS.API.STREAM.LEADER.STEPDOWN.JL_"+at.Namespace, nil) // what comes of it is seen
}

// finish reads to the end of the log.
func (w *watchedLog) finish(ctx context.Context, t *testing.T, at nats.Address) {
	require.Eventually(t, func() bool {
		about := w.info(ctx, at)
		return about != nil && w.readTo() >= about.State.LastSeq
	}, soon, 20*time.Millisecond)
	w.end()
	w.reading.Wait()
}
