package nats

import (
	"context"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/jobline/jobline/schema"
)

// NamespaceInfo is what the NATS servers store of a namespace.
type NamespaceInfo struct {
	Namespace string `json:"namespace"`
	Replicas  int    `json:"replicas"`
	// SnapshotReplicas is how many servers have the snapshots; 0 means that there is no stream for them. If
	// there are fewer than Replicas, the log is not shortened.
	SnapshotReplicas int    `json:"snapshotReplicas"`
	FirstEntry       uint64 `json:"firstEntry"` // the first in the log; what came before is in the snapshots
	LastEntry        uint64 `json:"lastEntry"`
	Bytes            uint64 `json:"bytes"`    // of the log
	MaxBytes         int64  `json:"maxBytes"` // the bound of the log; 0 means none
	// BytesBehind estimates how much of the log comes after the newest snapshot. Late means that this is more
	// than twice as much as makes the servers take a snapshot, and that they have had minutes to do so; the
	// stats of the servers say why they have not.
	BytesBehind int64          `json:"bytesBehind"`
	Late        bool           `json:"late,omitzero"`
	Snapshots   []SnapshotInfo `json:"snapshots"`
}

// SnapshotInfo is a snapshot from which a server can start.
type SnapshotInfo struct {
	Entry    uint64      `json:"entry"` // the last entry of the log that it includes
	Bytes    int64       `json:"bytes"`
	StoredAt schema.Time `json:"storedAt"`
}

// Inspect says what the servers store of a namespace; the newest snapshot comes first. It writes nothing. If
// the namespace cannot be used, it answers both what it has found and an error.
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

// lookAt fills in how much of the log comes after the newest of the snapshots.
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
