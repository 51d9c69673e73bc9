package kit

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// Dedupes finds the tasks of a dedupe key in constant time. It has memory for each key with a task that is not
// final, or with a completed one that is kept. The store's lock protects it. The zero value is ready.
type Dedupes struct{ keys map[string]*deduped }

// deduped are the tasks of a key.
type deduped struct {
	open      []uuid.UUID // the tasks that are not final, the oldest first
	completed uuid.UUID   // the task that completed last, or uuid.Nil
	at        schema.Time // when that was
}

// DedupeOf is the dedupe condition of a task, or nil.
func DedupeOf(c *schema.Conditions) *schema.Dedupe {
	if c == nil {
		return nil
	}
	return c.Dedupe
}

// Add adds a new task.
func (d *Dedupes) Add(c *schema.Conditions, id uuid.UUID) {
	if by := DedupeOf(c); by != nil {
		k := d.of(by.Key)
		k.open = append(k.open, id)
	}
}

// End notes that a task is final. The task need not have been added.
func (d *Dedupes) End(c *schema.Conditions, id uuid.UUID, as schema.State, at schema.Time) {
	by := DedupeOf(c)
	if by == nil {
		return
	}
	k := d.of(by.Key)
	if i := slices.Index(k.open, id); i >= 0 {
		k.open = slices.Delete(k.open, i, i+1)
	}
	if as == schema.Completed {
		k.completed, k.at = id, at
	}
	d.tidy(by.Key, k)
}

// Forget notes that a final task is no longer kept.
func (d *Dedupes) Forget(c *schema.Conditions, id uuid.UUID) {
	by := DedupeOf(c)
	if by == nil {
		return
	}
	if k := d.keys[by.Key]; k != nil && k.completed == id {
		k.completed = uuid.Nil
		d.tidy(by.Key, k)
	}
}

// Open answers the tasks of the key that are not final, the oldest first. The slice is valid until the next
// call.
func (d *Dedupes) Open(key string) []uuid.UUID {
	if k := d.keys[key]; k != nil {
		return k.open
	}
	return nil
}

// Completed answers the task of the key that completed last, if now is within the window of a submit after
// that.
func (d *Dedupes) Completed(by *schema.Dedupe, now schema.Time) (id uuid.UUID, found bool) {
	k := d.keys[by.Key]
	if k == nil || k.completed == uuid.Nil || by.WindowMs == 0 {
		return uuid.Nil, false
	}
	window := schema.Time((time.Duration(by.WindowMs) * time.Millisecond).Microseconds())
	return k.completed, now < k.at+window
}

func (d *Dedupes) of(key string) *deduped {
	k := d.keys[key]
	if k == nil {
		if d.keys == nil {
			d.keys = map[string]*deduped{}
		}
		k = new(deduped)
		d.keys[key] = k
	}
	return k
}

func (d *Dedupes) tidy(key string, k *deduped) {
	if len(k.open) == 0 && k.completed == uuid.Nil {
		delete(d.keys, key)
	}
}

// Succeeding are the conditions of a task that replaces others: it also waits for their end.
func Succeeding(c *schema.Conditions, replaced []uuid.UUID) *schema.Conditions {
	with := *c
	with.After = slices.Clone(c.After)
	for _, id := range replaced {
		if !slices.ContainsFunc(with.After, func(d schema.Dependency) bool { return d.ID == id }) {
			with.After = append(with.After, schema.Dependency{ID: id, On: schema.OnFinish})
		}
	}
	return &with
}

// ReplacedBy is the cancellation of a task that another task replaces.
func ReplacedBy(id uuid.UUID) executor.Cancellation {
	return executor.Cancellation{Reason: "replaced by " + id.String()}
}
