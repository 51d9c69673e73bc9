package transfer

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"math"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// Sum counts what a store has. Equal stores have equal sums; different stores most likely have different
// digests.
type Sum struct {
	Tasks       int64
	Waiting     int64 // how many of Tasks are queued
	OutputBytes int64 // kept
	IDs         int64 // remembered ids of tasks that are no longer kept
	Groups      int   // with settings
	Schedules   int
	Digest      [sha256.Size]byte
}

func (s Sum) String() string {
	return fmt.Sprintf("%d tasks, of which %d wait, and %d bytes of output; %d ids of earlier tasks, %d groups, %d schedules", s.Tasks, s.Waiting, s.OutputBytes, s.IDs, s.Groups, s.Schedules)
}

// SumOf reads a whole source, and sums it.
func SumOf(ctx context.Context, of Source) (Sum, error) {
	m := &meter{Source: of}
	err := m.Forgotten(ctx, func(uuid.UUID) error { return nil })
	if err == nil {
		err = m.Finals(ctx, func(*Task) error { return nil })
	}
	if err == nil {
		err = m.Waiting(ctx, func(*Task) error { return nil })
	}
	if err != nil {
		return Sum{}, err
	}
	return m.sum()
}

// meter passes a Source through, and sums what passes.
type meter struct {
	Source
	total Sum
	parts [3]hash.Hash // of the ids, of the final tasks, and of the queued tasks
}

// part begins a part again, because a Source may be read more than once.
func (m *meter) part(n int) hash.Hash {
	m.parts[n] = sha256.New()
	return m.parts[n]
}

// Forgotten implements Source.
func (m *meter) Forgotten(ctx context.Context, f func(uuid.UUID) error) error {
	h := m.part(0)
	m.total.IDs = 0
	return m.Source.Forgotten(ctx, func(id uuid.UUID) error {
		m.total.IDs++
		h.Write(id[:])
		return f(id)
	})
}

// Finals implements Source.
func (m *meter) Finals(ctx context.Context, f func(*Task) error) error {
	h := m.part(1)
	return m.Source.Finals(ctx, func(t *Task) error {
		if err := m.count(h, t); err != nil {
			return err
		}
		return f(t)
	})
}

// Waiting implements Source.
func (m *meter) Waiting(ctx context.Context, f func(*Task) error) error {
	h := m.part(2)
	return m.Source.Waiting(ctx, func(t *Task) error {
		m.total.Waiting++
		if err := m.count(h, t); err != nil {
			return err
		}
		return f(t)
	})
}

func (m *meter) count(h hash.Hash, t *Task) error {
	m.total.Tasks++
	for _, kept := range t.Output {
		m.total.OutputBytes += int64(len(kept))
	}
	text, err := json.Marshal(summedOf(t), exact)
	if err == nil {
		writeTexts(h, append([][]byte{text, t.Input, t.Result}, t.Output[:]...)...)
	}
	return err
}

// writeTexts hashes texts with their lengths.
func writeTexts(h hash.Hash, texts ...[]byte) {
	for _, text := range texts {
		h.Write(binary.AppendUvarint(nil, uint64(len(text))))
		h.Write(text)
	}
}

// exact writes JSON that was accepted before without a change.
var exact = json.JoinOptions(json.Deterministic(true), jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))

// summed is what a sum includes of a task beside its texts. It is normalised: stores may have no labels as nil
// or as empty, and time-outs in milliseconds.
type summed struct {
	ID           uuid.UUID
	Order, Seq   uint64
	Type         string
	State        schema.State
	Priority     int8
	Attempt      int32
	Labels       map[string]string `json:",omitempty"`
	Times        [4]int64
	CancelReason string
	Progress     *schema.Progress
	Error        *schema.TaskError
	OutputBytes  *schema.OutputBytes
	Conditions   *schema.Conditions
	RanOn        *schema.RunsOn
	TimeoutMs    int64
	GraceMs      int64
	Rerun        bool
	History      *executor.History
}

func summedOf(t *Task) *summed {
	written := t.OutputBytes
	if written != nil && *written == (schema.OutputBytes{}) { // as none
		written = nil
	}
	return &summed{
		ID: t.ID, Order: t.Order, Seq: t.Seq, Type: t.Type, State: t.State, Priority: t.Priority, Attempt: t.Attempt, Labels: t.Labels,
		Times:        [4]int64{int64(t.CreatedAt), int64(t.StartedAt), int64(t.FinishedAt), int64(t.CancelRequestedAt)},
		CancelReason: t.CancelReason, Progress: t.Progress, Error: t.Error, OutputBytes: written, Conditions: t.Conditions, RanOn: t.RanOn,
		TimeoutMs: milliseconds(t.Timeout), GraceMs: milliseconds(t.Grace), Rerun: t.Rerun, History: t.History,
	}
}

// milliseconds rounds up, as stores in files do.
func milliseconds(d time.Duration) int64 {
	const up = time.Millisecond - 1
	return int64((min(d, math.MaxInt64-up) + up) / time.Millisecond)
}

// errUnread says that a part of the source was not read.
var errUnread = errors.New("not all of the store was read")

// sum is the sum of what has passed, and of what the source has beside tasks.
func (m *meter) sum() (Sum, error) {
	h, a := sha256.New(), m.About()
	for _, part := range m.parts {
		if part == nil {
			return Sum{}, errUnread
		}
		h.Write(part.Sum(nil))
	}
	m.total.Groups, m.total.Schedules = len(a.Groups), len(a.Schedules)
	text, err := json.Marshal([]any{a.Order, a.Seq, a.Gone, a.Paused}, exact)
	if err != nil {
		return Sum{}, err
	}
	writeTexts(h, text)
	for _, g := range a.Groups {
		s := g.Settings
		text, err := json.Marshal([]any{g.Name, s.Limit, s.Paused, s.Rate.Count, int64(s.Rate.Per), s.Defaults}, exact)
		if err != nil {
			return Sum{}, err
		}
		writeTexts(h, text)
	}
	for _, s := range a.Schedules {
		writeTexts(h, []byte(s.Name), s.Text)
	}
	m.total.Digest = [sha256.Size]byte(h.Sum(nil))
	return m.total, nil
}
