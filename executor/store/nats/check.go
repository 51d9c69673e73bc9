package nats

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

// This file checks that the two streams of a namespace are configured so that they lose nothing.

// lossCause says which setting of a stream makes it lose entries, or "".
func lossCause(c jetstream.StreamConfig) string {
	switch {
	case c.Storage != jetstream.FileStorage:
		return "is in memory"
	case c.Retention != jetstream.LimitsPolicy:
		return "drops what was read"
	case c.Discard != jetstream.DiscardNew:
		return "drops the oldest entries where it is full"
	case c.MaxAge > 0:
		return fmt.Sprintf("drops entries after %v", c.MaxAge)
	case c.MaxMsgsPerSubject > 0 || c.MaxMsgs > 0:
		return "keeps only so many entries"
	case c.PersistMode == jetstream.AsyncPersistMode:
		return "answers before it has written"
	}
	return ""
}

// hasSubjects reports whether a stream takes exactly these subjects, which are sorted, and has no other source.
func hasSubjects(c jetstream.StreamConfig, subjects ...string) bool {
	return slices.Equal(slices.Sorted(slices.Values(c.Subjects)), subjects) && c.Mirror == nil && len(c.Sources) == 0 && c.SubjectTransform == nil
}

// checkStream says why a stream is not a log that this version can use, or nil.
func checkStream(a Address, c jetstream.StreamConfig) error {
	if err := checkFormat(a, c.Metadata[versionKey]); err != nil {
		return err
	}
	if by := lossCause(c); by != "" {
		return fmt.Errorf("the stream %s %s, so it would lose tasks; set it back with nats stream edit, or make another namespace", c.Name, by)
	}
	if !hasSubjects(c, a.logSubjects()...) {
		return fmt.Errorf("the stream %s does not have exactly the subjects %s; set it back with nats stream edit, or make another namespace", c.Name, strings.Join(a.logSubjects(), " and "))
	}
	_, err := snapshotBytesOf(c)
	return err
}

// checkSnapshots says why a stream would lose the snapshots of a namespace, or nil.
func checkSnapshots(a Address, c jetstream.StreamConfig) error {
	why := lossCause(c)
	switch {
	case why != "":
		why += ", so it would lose snapshots"
	case !hasSubjects(c, a.snapshotSubject()):
		why = "does not have exactly the subject " + a.snapshotSubject()
	default:
		return nil
	}
	return fmt.Errorf("the stream %s %s, and the log no longer has what is in them; set it back with nats stream edit, or, where the stream %s still has entry 1, remove it: the servers of jobline make it again", c.Name, why, a.StreamName())
}

// checkReplicas says that the snapshots are on fewer servers than the log, or nil.
func checkReplicas(log, snapshots jetstream.StreamConfig) error {
	if snapshots.Replicas >= log.Replicas {
		return nil
	}
	return fmt.Errorf("the stream %s has %d replicas, and %s has %d: what is in a snapshot would be on fewer servers; change that with: nats stream edit %s --replicas %d",
		log.Name, log.Replicas, snapshots.Name, snapshots.Replicas, snapshots.Name, log.Replicas)
}

// checkNamespace says how an existing namespace differs from the one that is wanted, or nil.
func checkNamespace(a Address, c jetstream.StreamConfig, n Namespace) error {
	if err := checkStream(a, c); err != nil {
		return err
	}
	if n.Replicas != 0 && n.Replicas != c.Replicas {
		return fmt.Errorf("the namespace %s exists with %d replicas; change that with: nats stream edit %s --replicas %d, and then: nats stream edit %s --replicas %d",
			a.Namespace, c.Replicas, c.Name, n.Replicas, a.snapshotStream(), n.Replicas)
	}
	if n.MaxBytes > 0 && n.MaxBytes != c.MaxBytes {
		return fmt.Errorf("the namespace %s exists with a bound of %d bytes; change that with: nats stream edit %s --max-bytes %d", a.Namespace, c.MaxBytes, c.Name, n.MaxBytes)
	}
	return nil
}

// settings is the configuration of the snapshot stream, or nil if there is no such stream.
func (h *streamSnapshotStore) settings(ctx context.Context) (*jetstream.StreamConfig, error) {
	s, err := h.stream(ctx)
	switch {
	case err != nil:
		return nil, streamError(h.address, Credentials{}, orRefusal(ctx, err))
	case s == nil:
		return nil, nil
	}
	return &s.CachedInfo().Config, nil
}

// check says in lost why snapshots would be lost, and in replicas why they are on fewer servers than the log
// was when its configuration was last read. Both are nil if there is no snapshot stream.
func (h *streamSnapshotStore) check(ctx context.Context) (lost, replicas error) {
	c, err := h.settings(ctx)
	if c == nil || err != nil {
		return err, nil
	}
	return checkSnapshots(h.address, *c), checkReplicas(h.log.CachedInfo().Config, *c)
}

// replicas is how many servers have the snapshots, or 0 if there is no snapshot stream.
func (h *streamSnapshotStore) replicas(ctx context.Context) (int, error) {
	c, err := h.settings(ctx)
	if c == nil || err != nil {
		return 0, err
	}
	return c.Replicas, checkSnapshots(h.address, *c)
}

// checkFormat says why this version cannot use a namespace of that format, and what to do.
func checkFormat(a Address, format string) error {
	n, err := strconv.Atoi(format)
	switch {
	case err != nil:
		return fmt.Errorf("the stream %s is of format %q, so jobline has not made it; choose another namespace", a.StreamName(), format)
	case n > formatVersion:
		return fmt.Errorf("the namespace %s is of format %d, which a later version of jobline has made, and this version has format %d; install the version that the others have", a.Namespace, n, formatVersion)
	case n < formatVersion:
		return fmt.Errorf("the namespace %s is of format %d, and this version of jobline has format %d; copy it to a file with the version that has made it, and the file to a new namespace with this one: jobline store copy FROM TO", a.Namespace, n, formatVersion)
	}
	return nil
}
