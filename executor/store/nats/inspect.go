package nats

import (
	"context"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/jobline/jobline/schema"
)

// NamespaceInfo is what the servers of NATS have of a namespace.
type NamespaceInfo struct {
	Namespace string `json:"namespace"`
	Replicas  int    `json:"replicas"`
	// SnapshotReplicas is how many servers have the snapshots; 0 is where there is no stream for them. With fewer than Replicas
	// the log is not made shorter.
	SnapshotReplicas int    `json:"snapshotReplicas"`
	FirstEntry       uint64 `json:"firstEntry"` // that the log still has; what was before it is in the snapshots
	LastEntry        uint64 `json:"lastEntry"`
	Bytes            uint64 `json:"bytes"`    // of the log
	MaxBytes         int64  `json:"maxBytes"` // that it may have; 0 is no bound
	// BytesBehind is about how much of the log is behind the newest snapshot. Late says that this is twice as much as lets the
	// servers make one, and for some minutes: stats of the servers tells why they do not.
	BytesBehind int64          `json:"bytesBehind"`
	Late        bool           `json:"late,omitzero"`
	Snapshots   []SnapshotInfo `json:"snapshots"`
}

// SnapshotInfo is a snapshot that a server can begin with.
type SnapshotInfo struct {
	Entry    uint64      `json:"entry"` // of the log, behind which it was made
	Bytes    int64       `json:"bytes"`
	StoredAt schema.Time `json:"storedAt"`
}

// Inspect says what there is of a namespace. The newest snapshot is the first.
func Inspect(ctx context.Context, a Address, c Credentials) (NamespaceInfo, error) {
	found := NamespaceInfo{Namespace: a.Namespace, Snapshots: []SnapshotInfo{}}
	err := withJetStream(ctx, a, c, openTimeout, func(ctx context.Context, js jetstream.JetStream) error {
		log, err := js.Stream(ctx, a.StreamName())
		if err != nil {
			return streamError(a, c, orRefusal(ctx, err))
		}
		about := log.CachedInfo()
		found.Replicas, found.MaxBytes = about.Config.Replicas, max(about.Config.MaxBytes, 0)
		found.FirstEntry, found.LastEntry, found.Bytes = about.State.FirstSeq, about.State.LastSeq, about.State.Bytes
		h := snapshotStoreOf(js, a, log)
		whole, _, err := h.list(ctx)
		if err != nil {
			return streamError(a, c, orRefusal(ctx, err))
		}
		for _, k := range whole {
			found.Snapshots = append(found.Snapshots, SnapshotInfo{k.Entry, k.Bytes, schema.TimeOf(k.stored)})
		}
		if err := found.lookAt(ctx, h, whole); err != nil {
			return streamError(a, c, orRefusal(ctx, err))
		}
		if found.SnapshotReplicas, err = h.replicas(ctx); err != nil {
			return err
		}
		return checkStream(a, about.Config)
	})
	return found, err
}

// lookAt says how much of the log is behind the newest of the snapshots.
func (n *NamespaceInfo) lookAt(ctx context.Context, h *streamSnapshotStore, whole []storedSnapshot) error {
	var s Store
	if err := s.takeSettings(h.log.CachedInfo().Config); err != nil {
		return err
	}
	now, err := h.extent(ctx)
	if err != nil {
		return err
	}
	f, newest := inventory{whole: whole, log: now}, storedSnapshot{}
	if len(whole) > 0 {
		newest = whole[0]
	}
	n.BytesBehind = now.behind(newest.Entry)
	n.Late = n.BytesBehind > 2*s.threshold(&f) && s.isSynced(newest, &now)
	return nil
}
