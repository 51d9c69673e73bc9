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

// versionKey is the key of the metadata of a stream that has the version of its format, snapshotKey that of
// Namespace.SnapshotBytes.
const versionKey, snapshotKey = "jobline-format", "jobline-snapshot-bytes"

// Namespace says how a namespace is made.
type Namespace struct {
	// Replicas is how many servers have the log; 0 is 1.
	Replicas int
	// MaxBytes bounds the log; 0 is no bound of its own, and less than MinMaxBytes is refused. Where it is full nothing more is recorded.
	MaxBytes int64
	// SnapshotBytes is how many bytes the log has at least behind the newest snapshot before the servers make another
	// one; 0 is 64 MB, which does for all but tests: with another one what is in a snapshot leaves the log at once, and not when
	// servers have had the time to sync it. It counts for a namespace that is made, and not for one that is there.
	SnapshotBytes int64
}

// MinMaxBytes is the least bound of a log: one change may have 16 MB, and a snapshot is made for each quarter of the bound.
const MinMaxBytes = 64 << 20

// Init makes a namespace. It reports whether there was none; one that is there must be as wanted.
func Init(ctx context.Context, a Address, c Credentials, n Namespace) (made bool, err error) {
	if n.MaxBytes != 0 && n.MaxBytes < MinMaxBytes {
		return false, fmt.Errorf("a log of at most %d bytes is full before it can be made shorter; give it %d or more, or no bound", n.MaxBytes, MinMaxBytes)
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
		if made { // what was there is of another log
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

// withJetStream calls f with the JetStream of the servers of an address. The context of f ends after
// patience, and when the servers refuse something, as orRefusal tells.
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

// snapshotBytesOf is what SnapshotBytes was when the namespace was made, or 0 without that.
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

// takeSettings takes what the stream of the log says about snapshots.
func (s *Store) takeSettings(c jetstream.StreamConfig) error {
	n, err := snapshotBytesOf(c)
	s.snapshotBytes = cmp.Or(n, snapshotBytes)
	if n == 0 {
		s.keeping.syncTime = syncTime
	}
	s.bound.Store(c.MaxBytes)
	return err
}

// createError says why a stream cannot be made, and what to do.
func createError(a Address, c Credentials, n Namespace, err error) error {
	var of *jetstream.APIError
	if errors.As(err, &of) && n.Replicas > 1 {
		return fmt.Errorf("the namespace %s with %d replicas: %w; as many servers with JetStream must be up in one cluster", a.Namespace, n.Replicas, err)
	}
	return streamError(a, c, err)
}
