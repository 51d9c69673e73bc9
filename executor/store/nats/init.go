package nats

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// versionKey is the metadata key of a stream for the version of its format, snapshotKey that for
// Namespace.SnapshotBytes.
const versionKey, snapshotKey = "jobline-format", "jobline-snapshot-bytes"

// Namespace says how Init makes a namespace.
type Namespace struct {
	// Replicas is how many servers store the log; 0 means 1.
	Replicas int
	// MaxBytes bounds the log; 0 means no bound of its own. A bound below MinMaxBytes is refused. When the log
	// is full, no change is recorded until it has been shortened.
	MaxBytes int64
	// SnapshotBytes is how many bytes the log grows, at least, after the newest snapshot before the servers
	// make the next one; 0 means 64 MB, which is right for everything but tests: with any other value, entries
	// leave the log as soon as a snapshot has them, and not only when the servers have had the time to sync it.
	// It is ignored if the namespace exists.
	SnapshotBytes int64
}

// MinMaxBytes is the smallest bound of a log: one change may have 16 MB, and a snapshot is made for each
// quarter of the bound.
const MinMaxBytes = 64 << 20

// Init makes a namespace, and reports whether there was none before. An existing namespace must have the wanted
// settings, or Init fails. It may be called again after an error.
func Init(ctx context.Context, a Address, c Credentials, n Namespace) (made bool, err error) {
	if n.MaxBytes != 0 && n.MaxBytes < MinMaxBytes {
		return false, fmt.Errorf("a log of at most %d bytes is full before it can be shortened; give it %d or more, or no bound", n.MaxBytes, MinMaxBytes)
	}
	err = withJetStream(ctx, a, c, openTimeout, func(ctx context.Context, js jetstream.JetStream) error {
		known, err := js.Stream(ctx, a.StreamName())
		switch {
		case err == nil:
			if err := checkNamespace(a, known.CachedInfo().Config, n); err != nil {
				return err
			}
		case !errors.Is(err, jetstream.ErrStreamNotFound):
			return streamError(a, c, orRefusal(ctx, err))
		default:
			if known, err = js.CreateStream(ctx, streamConfig(a, n)); err != nil {
				return createError(a, c, n, orRefusal(ctx, err))
			}
			made = true
		}
		h := snapshotStoreOf(js, a, known)
		if err := h.make(ctx); err != nil {
			return createError(a, c, n, orRefusal(ctx, err))
		}
		if made { // snapshots that exist are of an earlier log
			if err := h.clear(ctx); err != nil {
				return createError(a, c, n, orRefusal(ctx, err))
			}
		}
		return cmp.Or(h.check(ctx))
	})
	return made, err
}

// Check says why a namespace cannot be used, or nil.
func Check(ctx context.Context, a Address, c Credentials) error {
	return withJetStream(ctx, a, c, askTimeout, func(ctx context.Context, js jetstream.JetStream) error {
		stream, err := js.Stream(ctx, a.StreamName())
		if err != nil {
			return streamError(a, c, orRefusal(ctx, err))
		}
		if err := checkStream(a, stream.CachedInfo().Config); err != nil {
			return err
		}
		return cmp.Or(snapshotStoreOf(js, a, stream).check(ctx))
	})
}

// withJetStream calls f with a JetStream client of the servers of an address. The context of f ends after
// patience, and when the servers refuse something; orRefusal finds that refusal.
func withJetStream(ctx context.Context, a Address, c Credentials, patience time.Duration, f func(context.Context, jetstream.JetStream) error) error {
	denied := newDenials()
	conn, err := dial(a, c, natsgo.ErrorHandler(func(_ *natsgo.Conn, _ *natsgo.Subscription, err error) { denied.note(err) }))
	if err != nil {
		return err
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	ctx, done := denied.cancelOnRefusal(ctx)
	defer done()
	return f(ctx, js)
}

func streamConfig(a Address, n Namespace) jetstream.StreamConfig {
	c := jetstream.StreamConfig{
		Name: a.StreamName(), Description: "the log of a jobline queue", Subjects: a.logSubjects(), Storage: jetstream.FileStorage,
		Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardNew, Replicas: max(n.Replicas, 1), MaxBytes: -1, MaxMsgs: -1,
		DenyDelete: true, Metadata: map[string]string{versionKey: strconv.Itoa(formatVersion)},
	}
	if n.MaxBytes > 0 {
		c.MaxBytes = n.MaxBytes
	}
	if n.SnapshotBytes > 0 {
		c.Metadata[snapshotKey] = strconv.FormatInt(n.SnapshotBytes, 10)
	}
	return c
}

// snapshotBytesOf is the SnapshotBytes with which the namespace was made, or 0.
func snapshotBytesOf(c jetstream.StreamConfig) (int64, error) {
	text, there := c.Metadata[snapshotKey]
	if !there {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n <= 0 {
		return 0, fmt.Errorf("the stream %s has the metadata %s=%q, which is no number of bytes; set it back with nats stream edit", c.Name, snapshotKey, text)
	}
	return n, nil
}

// takeSettings reads from the configuration of the log when to make snapshots.
func (s *Store) takeSettings(c jetstream.StreamConfig) error {
	n, err := snapshotBytesOf(c)
	s.snapshotBytes = cmp.Or(n, snapshotBytes)
	if n == 0 {
		s.keeping.syncTime = syncTime
	}
	s.bound.Store(c.MaxBytes)
	return err
}

// createError says why a stream could not be made, and what to do.
func createError(a Address, c Credentials, n Namespace, err error) error {
	var of *jetstream.APIError
	if errors.As(err, &of) && n.Replicas > 1 {
		return fmt.Errorf("the namespace %s with %d replicas: %w; as many servers with JetStream must be up in one cluster", a.Namespace, n.Replicas, err)
	}
	return streamError(a, c, err)
}
