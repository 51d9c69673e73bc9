package nats

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/jobline/jobline/schema"
)

// This file keeps snapshots in a stream beside the log. Each snapshot has a subject of its own, with its pieces
// in order, and a last message that says how many there are. Without that message the snapshot is incomplete,
// and no process reads it.

// snapshotStore is where the snapshots of a log are kept. It also shortens the log. After an error the
// operation may have been done or not.
type snapshotStore interface {
	// extent is how much of the log there is.
	extent(ctx context.Context) (extent, error)
	// list answers the complete snapshots of this log, the newest first, and all others.
	list(ctx context.Context) (whole []storedSnapshot, others []leftover, err error)
	// put stores a snapshot, and answers it with its subject. list shows it only when all of it is stored.
	put(ctx context.Context, k storedSnapshot, pieces [][]byte) (storedSnapshot, error)
	// open reads a snapshot. The caller calls closes at the end.
	open(ctx context.Context, k storedSnapshot) (from *bufio.Reader, closes func(), err error)
	// remove removes a snapshot, or the leftover of one.
	remove(ctx context.Context, subject string) error
	// purge removes the entries of the log before a sequence.
	purge(ctx context.Context, before uint64) error
}

// extent is how much of the log there is.
type extent struct {
	first, last uint64 // entries; last is first-1 if the log is empty
	bytes       int64
	bound       int64     // of bytes; 0 or less means none
	at          time.Time // when this was read, by the servers' clock
}

// leftover is an incomplete snapshot, or a snapshot of another log.
type leftover struct {
	subject  string
	messages uint64
}

// streamSnapshotStore is a snapshotStore in a stream of NATS.
type streamSnapshotStore struct {
	address Address
	js      jetstream.JetStream
	log     jetstream.Stream
}

func newSnapshotStore(conn *natsgo.Conn, a Address, log jetstream.Stream) (*streamSnapshotStore, error) {
	js, err := jetstream.New(conn)
	return snapshotStoreOf(js, a, log), err
}

func snapshotStoreOf(js jetstream.JetStream, a Address, log jetstream.Stream) *streamSnapshotStore {
	return &streamSnapshotStore{a, js, log}
}

func (h *streamSnapshotStore) extent(ctx context.Context) (extent, error) {
	now, err := askServers(ctx, func(ctx context.Context) (*jetstream.StreamInfo, error) { return h.log.Info(ctx) })
	if err != nil {
		return extent{}, err
	}
	return extent{now.State.FirstSeq, now.State.LastSeq, int64(now.State.Bytes), now.Config.MaxBytes, now.TimeStamp}, nil
}

func (h *streamSnapshotStore) purge(ctx context.Context, before uint64) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	if err := h.mayPurge(ctx); err != nil {
		return err
	}
	return h.log.Purge(ctx, jetstream.WithPurgeSequence(before))
}

var errNoSnapshotStream = errors.New("the stream of the snapshots is gone")

// mayPurge says why the log must keep what the snapshots have, or nil. The configuration of a stream may have
// been changed since it was last read.
func (h *streamSnapshotStore) mayPurge(ctx context.Context) error {
	if _, err := h.log.Info(ctx); err != nil { // refreshes the cached info, which check reads
		return err
	}
	if n, err := h.replicas(ctx); n == 0 {
		return cmp.Or(err, errNoSnapshotStream)
	}
	return cmp.Or(h.check(ctx))
}

// wholeHeader is the header that marks the last message of a snapshot.
const wholeHeader = "Jobline-Whole"

// storedSnapshot is a complete snapshot. The exported fields are the JSON of its last message.
type storedSnapshot struct {
	subject string
	stored  time.Time
	Entry   uint64 `json:"entry"` // the last entry that it includes
	At      int64  `json:"at"`    // the time of that entry, in microseconds
	Bytes   int64  `json:"bytes"`
	Pieces  uint64 `json:"pieces"`
}

func newestFirst(a, b storedSnapshot) int {
	return cmp.Or(cmp.Compare(b.Entry, a.Entry), strings.Compare(a.subject, b.subject))
}

func (a Address) snapshotStream() string  { return "JLS_" + a.Namespace }
func (a Address) snapshotSubject() string { return "jls." + a.Namespace + ".>" }

// subjectOf makes the subject of a new snapshot. No other snapshot has it.
func (h *streamSnapshotStore) subjectOf(entry uint64) string {
	return fmt.Sprintf("jls.%s.%d.%s", h.address.Namespace, entry, strings.ReplaceAll(uuid.NewString(), "-", ""))
}

// entryOf is the entry in the subject of a snapshot, or 0.
func entryOf(subject string) uint64 {
	parts := strings.Split(subject, ".")
	entry, _ := strconv.ParseUint(parts[min(2, len(parts)-1)], 10, 64)
	return entry
}

func snapshotConfig(a Address, replicas int) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: a.snapshotStream(), Description: "snapshots of a jobline queue", Subjects: []string{a.snapshotSubject()}, Storage: jetstream.FileStorage,
		Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardNew, Replicas: replicas, MaxBytes: -1, MaxMsgs: -1,
	}
}

// stream is the stream of the snapshots, or nil if there is none.
func (h *streamSnapshotStore) stream(ctx context.Context) (jetstream.Stream, error) {
	s, err := h.js.Stream(ctx, h.address.snapshotStream())
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, nil
	}
	return s, err
}

// make makes the stream if there is none.
func (h *streamSnapshotStore) make(ctx context.Context) error {
	if s, err := h.stream(ctx); s != nil || err != nil {
		return err
	}
	_, err := h.js.CreateStream(ctx, snapshotConfig(h.address, max(h.log.CachedInfo().Config.Replicas, 1)))
	if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
		return nil // another process was faster
	}
	return err
}

func (h *streamSnapshotStore) list(ctx context.Context) (whole []storedSnapshot, others []leftover, err error) {
	whole, err = askServers(ctx, func(ctx context.Context) (found []storedSnapshot, err error) {
		found, others, err = h.listOnce(ctx)
		return found, err
	})
	return whole, others, err
}

func (h *streamSnapshotStore) listOnce(ctx context.Context) (whole []storedSnapshot, others []leftover, err error) {
	s, err := h.stream(ctx)
	if s == nil || err != nil {
		return nil, nil, err
	}
	about, err := s.Info(ctx, jetstream.WithSubjectFilter(h.address.snapshotSubject()))
	if err != nil {
		return nil, nil, err
	}
	for subject, messages := range about.State.Subjects {
		k, err := h.look(ctx, s, subject, messages)
		switch {
		case err != nil:
			return nil, nil, err
		case k == nil:
			others = append(others, leftover{subject, messages})
		default:
			whole = append(whole, *k)
		}
	}
	slices.SortFunc(whole, newestFirst)
	return whole, others, nil
}

// look reads the last message of a subject that has so many messages. It answers nil if the snapshot is
// incomplete, or not of this log.
func (h *streamSnapshotStore) look(ctx context.Context, s jetstream.Stream, subject string, messages uint64) (*storedSnapshot, error) {
	last, err := s.GetLastMsgForSubject(ctx, subject)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	k := &storedSnapshot{subject: subject, stored: last.Time}
	if last.Header.Get(wholeHeader) == "" || json.Unmarshal(last.Data, k) != nil || k.Pieces+1 != messages || k.Entry != entryOf(subject) {
		return nil, nil
	}
	entry, err := h.log.GetMsg(ctx, k.Entry)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if schema.TimeOf(entry.Time) != schema.Time(k.At) {
		return nil, nil
	}
	return k, nil
}

// cleanupTimeout bounds the removal of a snapshot that could not be stored completely.
const cleanupTimeout = 2 * time.Second

func (h *streamSnapshotStore) put(ctx context.Context, k storedSnapshot, pieces [][]byte) (storedSnapshot, error) {
	if err := h.hasRoom(ctx, k.Bytes); err != nil {
		return storedSnapshot{}, err
	}
	k.subject, k.Pieces = h.subjectOf(k.Entry), uint64(len(pieces))
	err := h.putAll(ctx, &k, pieces)
	if err == nil {
		return k, nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	if e := h.remove(ctx, k.subject); e != nil {
		err = fmt.Errorf("%w; and its pieces could not be removed: %w", err, e)
	}
	return storedSnapshot{}, err
}

// hasRoom says why a snapshot of so many bytes does not fit into the stream, or nil if nothing is known against
// it.
func (h *streamSnapshotStore) hasRoom(ctx context.Context, bytes int64) error {
	if err := h.make(ctx); err != nil {
		return err
	}
	s, err := h.stream(ctx)
	if s == nil || err != nil {
		return cmp.Or(err, errNoSnapshotStream)
	}
	now := s.CachedInfo()
	if most := now.Config.MaxBytes; most > 0 && int64(now.State.Bytes)+bytes > most {
		return fmt.Errorf("the stream %s has %d bytes of at most %d, and the snapshot has %d; give it more with: nats stream edit %s --max-bytes -1",
			now.Config.Name, now.State.Bytes, most, bytes, now.Config.Name)
	}
	return nil
}

func (h *streamSnapshotStore) putAll(ctx context.Context, k *storedSnapshot, pieces [][]byte) error {
	last, err := json.Marshal(k)
	if err != nil {
		return err
	}
	for _, piece := range pieces {
		if err := h.publish(ctx, &natsgo.Msg{Subject: k.subject, Data: piece}); err != nil {
			return err
		}
	}
	return h.publish(ctx, &natsgo.Msg{Subject: k.subject, Data: last, Header: natsgo.Header{wholeHeader: {"1"}}})
}

func (h *streamSnapshotStore) publish(ctx context.Context, m *natsgo.Msg) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	_, err := h.js.PublishMsg(ctx, m, jetstream.WithExpectStream(h.address.snapshotStream()))
	return err
}

func (h *streamSnapshotStore) remove(ctx context.Context, subject string) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	s, err := h.stream(ctx)
	if s == nil || err != nil {
		return err
	}
	return s.Purge(ctx, jetstream.WithPurgeSubject(subject))
}

// errSnapshotGone says that a snapshot was removed, because there are two newer ones.
var errSnapshotGone = errors.New("the snapshot was removed while it was read")

// clear removes all snapshots.
func (h *streamSnapshotStore) clear(ctx context.Context) error {
	s, err := h.stream(ctx)
	if s == nil || err != nil || s.CachedInfo().State.Msgs == 0 {
		return err
	}
	return s.Purge(ctx)
}

// snapshotReader reads the pieces of a snapshot as one stream of bytes.
type snapshotReader struct {
	ctx      context.Context
	shelf    *streamSnapshotStore
	subject  string
	messages jetstream.MessagesContext
	left     uint64
	rest     []byte
}

func (h *streamSnapshotStore) open(ctx context.Context, k storedSnapshot) (from *bufio.Reader, closes func(), err error) {
	consumer, err := h.js.OrderedConsumer(ctx, h.address.snapshotStream(), jetstream.OrderedConsumerConfig{FilterSubjects: []string{k.subject}})
	if err != nil {
		return nil, nil, err
	}
	messages, err := consumer.Messages(jetstream.PullMaxMessages(piecesAhead))
	if err != nil {
		return nil, nil, err
	}
	return bufio.NewReader(&snapshotReader{ctx: ctx, shelf: h, subject: k.subject, messages: messages, left: k.Pieces}), messages.Stop, nil
}

// piecesAhead bounds how many pieces the client fetches ahead.
const piecesAhead = 32

func (r *snapshotReader) Read(to []byte) (int, error) {
	for len(r.rest) == 0 {
		if r.left == 0 {
			return 0, io.EOF
		}
		piece, err := r.piece()
		if err != nil {
			return 0, unreadError{fmt.Errorf("%d pieces of the snapshot were not received: %w", r.left, err)}
		}
		r.rest = piece
		r.left--
	}
	n := copy(to, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// pieceTimeout is how long to wait for a piece before looking whether the snapshot was removed.
const pieceTimeout = 500 * time.Millisecond

// piece waits for the next piece.
func (r *snapshotReader) piece() ([]byte, error) {
	for began := time.Now(); ; {
		ctx, cancel := context.WithTimeout(r.ctx, pieceTimeout)
		m, err := r.messages.Next(jetstream.NextContext(ctx))
		late := ctx.Err() != nil
		cancel()
		switch {
		case err == nil:
			return m.Data(), nil
		case !late || r.ctx.Err() != nil || time.Since(began) > openTimeout:
			return nil, err
		case r.shelf.isGone(r.ctx, r.subject):
			return nil, errSnapshotGone
		}
	}
}

// isGone reports whether a snapshot was removed. It is false if the servers do not answer.
func (h *streamSnapshotStore) isGone(ctx context.Context, subject string) bool {
	_, err := askServers(ctx, func(ctx context.Context) (*jetstream.RawStreamMsg, error) {
		s, err := h.stream(ctx)
		if s == nil || err != nil {
			return nil, err
		}
		return s.GetLastMsgForSubject(ctx, subject)
	})
	return errors.Is(err, jetstream.ErrMsgNotFound)
}
