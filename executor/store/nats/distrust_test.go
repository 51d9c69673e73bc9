package nats

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/schema"
)

const badText = "\xff"

var (
	long   = strings.Repeat("x", 1<<17)
	beyond = schema.TimeOf(time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC))
)

// many is a map of so many texts.
func many(n int) map[string]string {
	all := map[string]string{}
	for i := range n {
		all[fmt.Sprint("k", i)] = "v"
	}
	return all
}

// free is a field of an entry that has no limit, and why.
type free string

// spoiled are values that no server writes, by the field of an entry. Each is a function that spoils a good one.
var spoiled = map[string]any{
	"submission.ID":       func(s *submission) { s.ID = uuid.Nil },
	"submission.Type":     []func(s *submission){func(s *submission) { s.Type = "" }, func(s *submission) { s.Type = "a\nb" }, func(s *submission) { s.Type = long }},
	"submission.Priority": []func(s *submission){func(s *submission) { s.Priority = 127 }, func(s *submission) { s.Priority = -101 }},
	"submission.Labels": []func(s *submission){
		func(s *submission) { s.Labels = many(executor.MaxLabels + 1) },
		func(s *submission) { s.Labels = map[string]string{long: ""} },
		func(s *submission) { s.Labels = map[string]string{"a": long} },
		func(s *submission) { s.Labels = map[string]string{"owner": long} },
		func(s *submission) { s.Labels = map[string]string{"a": badText} },
		func(s *submission) { s.Labels = map[string]string{badText: "a"} },
	},
	"submission.Created":    []func(s *submission){func(s *submission) { s.Created = 0 }, func(s *submission) { s.Created = -1 }, func(s *submission) { s.Created = math.MaxInt64 }},
	"submission.Timeout":    []func(s *submission){func(s *submission) { s.Timeout = -1 }, func(s *submission) { s.Timeout = math.MaxInt64 }},
	"submission.Grace":      []func(s *submission){func(s *submission) { s.Grace = -1 }, func(s *submission) { s.Grace = math.MaxInt64 }},
	"submission.Rerun":      free("it is true or not"),
	"submission.NewID":      free("it is not believed"),
	"submission.Owner":      free("it is of the process that has written it"),
	"submission.Events":     free("they are of the process that has written it"),
	"submission.Size":       free("it is held against the bytes that there are"),
	"submission.input":      []func(s *submission){func(s *submission) { s.input = nil }, func(s *submission) { s.input = []byte(`{"a":1,"a":2}`) }, func(s *submission) { s.input = []byte("{}{}") }},
	"submission.Conditions": func(s *submission) { s.Conditions = &schema.Conditions{} },

	"Conditions.RunAt":     func(c *schema.Conditions) { c.RunAt = beyond },
	"Conditions.ExpiresAt": func(c *schema.Conditions) { c.ExpiresAt = beyond },
	"Conditions.After": []func(c *schema.Conditions){
		func(c *schema.Conditions) { c.After = make([]schema.Dependency, executor.MaxAfter+1) },
		func(c *schema.Conditions) { id := uuid.New(); c.After = []schema.Dependency{{ID: id}, {ID: id}} },
		func(c *schema.Conditions) { c.After = []schema.Dependency{{ID: uuid.New(), On: 9}} },
	},
	"Conditions.Group": []func(c *schema.Conditions){func(c *schema.Conditions) { c.Group = long }, func(c *schema.Conditions) { c.Group = badText }, func(c *schema.Conditions) { c.Group = "a\nb" }},
	"Conditions.Key":   []func(c *schema.Conditions){func(c *schema.Conditions) { c.Key = long }, func(c *schema.Conditions) { c.Key = badText }},
	"Conditions.Needs": []func(c *schema.Conditions){
		func(c *schema.Conditions) { c.Needs = map[string]int64{"gpu": -1} },
		func(c *schema.Conditions) { c.Needs = map[string]int64{"gpu": 5} },
		func(c *schema.Conditions) { c.Needs = map[string]int64{"none": 1} },
		func(c *schema.Conditions) { c.Needs = map[string]int64{"": 1} },
	},
	"Conditions.On": []func(c *schema.Conditions){
		func(c *schema.Conditions) { c.On = many(executor.MaxPlaces + 1) },
		func(c *schema.Conditions) { c.On = map[string]string{"gpu": ""} },
		func(c *schema.Conditions) { c.On = map[string]string{"gpu": long} },
	},
	"Conditions.Retry":   func(c *schema.Conditions) { c.Retry = &schema.Retry{MaxAttempts: 2} },
	"Conditions.Dedupe":  func(c *schema.Conditions) { c.Dedupe = &schema.Dedupe{} },
	"Conditions.Parent":  free("a task must have it"),
	"Conditions.RetryOf": free("it is a note"),

	"Retry.MaxAttempts": []func(r *schema.Retry){func(r *schema.Retry) { r.MaxAttempts = 0 }, func(r *schema.Retry) { r.MaxAttempts = math.MaxInt32 }},
	"Retry.DelayMs":     []func(r *schema.Retry){func(r *schema.Retry) { r.DelayMs = nil }, func(r *schema.Retry) { r.DelayMs = new(int64(-1)) }, func(r *schema.Retry) { r.DelayMs = new(int64(math.MaxInt64)) }},
	"Retry.Factor":      []func(r *schema.Retry){func(r *schema.Retry) { r.Factor = 0 }, func(r *schema.Retry) { r.Factor = 0.5 }, func(r *schema.Retry) { r.Factor = 1e300 }, func(r *schema.Retry) { r.Factor = math.NaN() }},
	"Retry.MaxDelayMs":  []func(r *schema.Retry){func(r *schema.Retry) { r.MaxDelayMs = 0 }, func(r *schema.Retry) { r.MaxDelayMs = math.MaxInt64 }},
	"Retry.Jitter":      []func(r *schema.Retry){func(r *schema.Retry) { r.Jitter = nil }, func(r *schema.Retry) { r.Jitter = new(1.5) }},
	"Retry.On": []func(r *schema.Retry){
		func(r *schema.Retry) { r.On = []schema.ErrorKind{} },
		func(r *schema.Retry) { r.On = []schema.ErrorKind{"invented"} },
		func(r *schema.Retry) {
			r.On = slices.Repeat([]schema.ErrorKind{schema.KindExit}, executor.MaxRetryKinds+1)
		},
	},

	"Dedupe.Key":      []func(d *schema.Dedupe){func(d *schema.Dedupe) { d.Key = "" }, func(d *schema.Dedupe) { d.Key = long }, func(d *schema.Dedupe) { d.Key = badText }},
	"Dedupe.On":       func(d *schema.Dedupe) { d.On = "invented" },
	"Dedupe.WindowMs": []func(d *schema.Dedupe){func(d *schema.Dedupe) { d.WindowMs = -1 }, func(d *schema.Dedupe) { d.WindowMs = math.MaxInt64 }},

	"submission.Posted": free("it is true or not"),

	"cancel.IDs":    free("those that there are not are not found"),
	"cancel.Reason": []func(c *cancel){func(c *cancel) { c.Reason = long }, func(c *cancel) { c.Reason = badText }},
	"cancel.Force":  free("it is true or not"),

	"update.ID":       free("one that there is not is not found"),
	"update.Priority": func(u *update) { u.Priority = new(int8(-128)) },
	"update.RunAt":    []func(u *update){func(u *update) { u.RunAt = new(int64(math.MaxInt64)) }, func(u *update) { u.RunAt = new(int64(math.MinInt64)) }},
	"update.Expires":  func(u *update) { u.Expires = new(int64(math.MaxInt64)) },
	"update.Labels":   []func(u *update){func(u *update) { u.Labels = many(executor.MaxLabels + 1) }, func(u *update) { u.Labels = map[string]string{"a": long} }, func(u *update) { u.Labels = map[string]string{"a": badText} }},
	"update.On": []func(u *update){
		func(u *update) { u.On = many(executor.MaxPlaces + 1) },
		func(u *update) { u.On = map[string]string{"gpu": ""} },
		func(u *update) { u.On = map[string]string{"gpu": long} },
	},
	"update.Group": []func(u *update){func(u *update) { u.Group = &long }, func(u *update) { u.Group = new(badText) }},

	"scheduleText.Name":    []func(s *scheduleText){func(s *scheduleText) { s.Name = "" }, func(s *scheduleText) { s.Name = "another" }, func(s *scheduleText) { s.Name = long }},
	"scheduleText.Removed": free("then there is no text"),
	"scheduleText.Text":    []func(s *scheduleText){func(s *scheduleText) { s.Text = []byte("no JSON") }, func(s *scheduleText) { s.Text = []byte("{}") }, func(s *scheduleText) { s.Text = bytes.Repeat([]byte(" "), 1<<20) }},
}

// spoils calls f with each of the functions that spoil a value, and the field that each spoils.
func spoils[T any](t *testing.T, f func(field string, spoil func(*T))) {
	t.Helper()
	of := reflect.TypeFor[T]()
	for i := range of.NumField() {
		field := of.Name() + "." + of.Field(i).Name
		switch all := spoiled[field].(type) {
		case free:
		case func(*T):
			f(field, all)
		case []func(*T):
			for n, spoil := range all {
				f(fmt.Sprint(field, " ", n), spoil)
			}
		default:
			require.Fail(t, "spoiled says nothing of a field that a driver can write", field)
		}
	}
}

// distrusting are two copies with a driver, of which each refuses a change alike.
type distrusting struct {
	copies  [2]*machine
	drivers [2]*peer
}

func newDistrusting() (d distrusting) {
	id := uuid.New()
	for i := range d.copies {
		d.copies[i] = newMachine(func() {})
		d.copies[i].tasks.Configure(memory.Options{Resources: map[string]int64{"gpu": 4}})
		d.drivers[i] = d.copies[i].meet(id, hello{Role: RoleDriver}, 1)
	}
	return d
}

// apply makes a change, and answers the only error of it.
func (d distrusting) apply(t *testing.T, c change) (err error) {
	t.Helper()
	var errs [2]error
	for i, m := range d.copies {
		require.True(t, RoleDriver.permits(&c))
		a := m.apply(d.drivers[i], &c, false)
		if errs[i] = a.err; len(a.submitted) > 0 {
			errs[i] = errors.Join(a.err, a.submitted[0].Err)
		}
	}
	require.Equal(t, fmt.Sprint(errs[0]), fmt.Sprint(errs[1]))
	return errs[0]
}

// refuses says that a change is refused for what is in it, and changes nothing.
func (d distrusting) refuses(t *testing.T, field string, c change) {
	t.Helper()
	before := d.copies[0].tasks.Digest()
	schedules, _ := d.copies[0].tasks.Schedules(t.Context())
	err := d.apply(t, c)
	var input *executor.InputError
	var large *executor.TooLargeError
	require.True(t, errors.As(err, &input) || errors.As(err, &large), "%s: %v", field, err)
	after, _ := d.copies[0].tasks.Schedules(t.Context())
	require.Equal(t, schedules, after, field)
	for _, m := range d.copies {
		require.Equal(t, before, m.tasks.Digest(), field)
	}
}

// scheduled is the text of a schedule as a server writes it.
const scheduled = `{"name":"nightly","everyMs":60000,"submit":{"type":"plain","labels":{"a":"b"}},"generation":"018f0000-0000-4000-8000-00000000000a",` +
	`"createdAt":"2026-01-01T00:00:00Z","since":"2026-01-01T00:00:00Z","decided":"2026-01-01T00:00:00Z"}`

// What a driver writes that no server has checked stops no copy, and changes nothing. Each field of each entry that a
// driver may write is in the table.
func TestCopiesCheckWhatDriversWrite(t *testing.T) {
	t.Parallel()
	d := newDistrusting()
	good := func() submission {
		s := submissionOf(new(newTask()))
		s.Conditions = &schema.Conditions{
			Group: "g", Key: "k", Needs: map[string]int64{"gpu": 4}, On: map[string]string{"gpu": "a100"}, Dedupe: &schema.Dedupe{Key: uuid.NewString(), On: schema.DedupeReuse},
			Retry: &schema.Retry{MaxAttempts: 2, DelayMs: new(int64), Factor: 1, MaxDelayMs: 1, Jitter: new(float64)},
		}
		s.Labels = many(executor.MaxLabels)
		s.Labels["owner"] = strings.Repeat("ü", 256)
		return s
	}
	submits := func(field string, s submission) {
		t.Helper()
		d.refuses(t, field, change{Submit: []submission{s}})
		d.refuses(t, field, change{Submit: []submission{s}, All: true})
		d.refuses(t, field, change{DryRun: []submission{s}})
	}
	known := good()
	require.NoError(t, d.apply(t, change{Submit: []submission{known}}))
	require.NoError(t, d.apply(t, change{DryRun: []submission{good()}}))
	spoils(t, func(field string, spoil func(*submission)) { s := good(); spoil(&s); submits(field, s) })
	spoils(t, func(field string, spoil func(*schema.Conditions)) {
		s := good()
		spoil(s.Conditions)
		submits(field, s)
	})
	spoils(t, func(field string, spoil func(*schema.Retry)) {
		s := good()
		spoil(s.Conditions.Retry)
		submits(field, s)
	})
	spoils(t, func(field string, spoil func(*schema.Dedupe)) {
		s := good()
		spoil(s.Conditions.Dedupe)
		submits(field, s)
	})
	self := good()
	self.Conditions.Parent = self.ID
	submits("Conditions.Parent", self)
	self = good()
	self.Conditions.After = []schema.Dependency{{ID: self.ID}}
	submits("Conditions.After", self)

	require.NoError(t, d.apply(t, change{Update: &update{ID: known.ID, Priority: new(int8(3)), RunAt: new(int64(5)), Labels: map[string]string{"k0": ""}}}))
	spoils(t, func(field string, spoil func(*update)) {
		u := update{ID: known.ID}
		spoil(&u)
		d.refuses(t, field, change{Update: &u})
	})
	spoils(t, func(field string, spoil func(*cancel)) {
		c := cancel{IDs: []uuid.UUID{known.ID}}
		spoil(&c)
		d.refuses(t, field, change{Cancel: &c})
	})
	require.NoError(t, d.apply(t, change{Schedules: []scheduleText{{Name: "nightly", Text: []byte(scheduled)}}}))
	spoils(t, func(field string, spoil func(*scheduleText)) {
		s := scheduleText{Name: "nightly", Text: []byte(scheduled)}
		spoil(&s)
		d.refuses(t, field, change{Schedules: []scheduleText{s}})
	})

	known.NewID = true // which is not believed
	require.True(t, d.copies[0].apply(d.drivers[0], &change{Submit: []submission{known}}, false).submitted[0].Existing)
}

// Where some submits of a driver are refused, the others are made, unless it is all or none.
func TestRefusedSubmitsKeepNoOthersFromBeingMade(t *testing.T) {
	t.Parallel()
	d := newDistrusting()
	bad := newTask()
	bad.Type = ""
	all := submissionsOf([]executor.Submission{newTask(), bad, newTask()})
	a := d.copies[0].apply(d.drivers[0], &change{Submit: all, All: true}, false)
	require.NoError(t, a.err)
	require.Error(t, a.submitted[1].Err)
	require.Equal(t, int64(0), d.queued(t))
	a = d.copies[0].apply(d.drivers[0], &change{Submit: all}, false)
	require.NoError(t, a.err)
	require.NoError(t, errors.Join(a.submitted[0].Err, a.submitted[2].Err))
	require.Error(t, a.submitted[1].Err)
	require.Equal(t, int64(2), d.queued(t))
}

func (d distrusting) queued(t *testing.T) int64 {
	counts, err := d.copies[0].tasks.Counts(t.Context())
	require.NoError(t, err)
	return counts.Queued
}

// A driver cannot let its change be more than it may, by a field beside one that it may set.
func TestDriversSetNothingBesideWhatTheyMay(t *testing.T) {
	t.Parallel()
	may := map[string]change{
		"Hello": {Hello: new(hello)}, "Beat": {Beat: true}, "Leave": {Leave: true}, "Submit": {Submit: []submission{{}}}, "DryRun": {DryRun: []submission{{}}},
		"Cancel": {Cancel: new(cancel)}, "Update": {Update: new(update)}, "Schedules": {Schedules: []scheduleText{{}}},
		"Seen": {Beat: true, Seen: new(entryDigest)}, "All": {Submit: []submission{{}}, All: true},
	}
	require.Equal(t, slices.Sorted(maps.Keys(driverFields)), slices.Sorted(maps.Keys(may)))
	require.False(t, RoleDriver.permits(new(change)))
	of := reflect.TypeFor[change]()
	for name, c := range may {
		require.True(t, RoleDriver.permits(&c), name)
		for i := range of.NumField() {
			if driverFields[of.Field(i).Name] {
				continue
			}
			both := c
			field := reflect.ValueOf(&both).Elem().Field(i)
			switch field.Kind() {
			case reflect.Bool:
				field.SetBool(true)
			case reflect.Int:
				field.SetInt(1)
			case reflect.Slice:
				field.Set(reflect.MakeSlice(field.Type(), 1, 1))
			default:
				field.Set(reflect.New(field.Type().Elem()))
			}
			require.False(t, RoleDriver.permits(&both), "%s and %s", name, of.Field(i).Name)
		}
	}
}

// The names of a driver are short, and it says of itself nothing that others have said of it.
func TestDriversSayLittleOfThemselves(t *testing.T) {
	t.Parallel()
	b := hello{Name: long, Host: long, PID: 1, Slots: 1 << 30, Lease: 1, Role: RoleExecutor, Draining: true, Ending: true}.bounded()
	name := strings.Repeat("x", executor.MaxNameBytes)
	require.Equal(t, hello{Name: name, Host: name, PID: 1, Lease: int64(time.Second), Role: RoleDriver}, b)
}

// A driver is not known for longer than a while after it was last heard of, whatever it says. All drivers together keep no
// more in the memory of all than a bound, and who has most of it is removed.
func TestDriversAreBounded(t *testing.T) {
	t.Parallel()
	s := newStore(Options{})
	hi, err := encode([]change{{Hello: &hello{Name: "driver", Lease: 1 << 62}}})
	require.NoError(t, err)
	numbers := map[uuid.UUID]uint64{}
	writes := func(driver uuid.UUID, more bool, text []byte) {
		t.Helper()
		numbers[driver]++
		piece := append(head{writer: driver, number: numbers[driver], more: more}.append(nil), text...)
		require.NoError(t, s.applyPiece(entry{sequence: 1, at: schema.Now(), role: RoleDriver, piece: piece}))
	}
	greedy, other, small := uuid.New(), uuid.New(), uuid.New()
	for _, driver := range []uuid.UUID{greedy, other, small} {
		writes(driver, false, hi)
	}
	require.Equal(t, int64(maxDriverLease), s.machine.peers[greedy].about.Lease)
	part := make([]byte, maxDriverPieceBytes/8)
	for _, driver := range []uuid.UUID{greedy, greedy, greedy, other, other} {
		writes(driver, true, part)
	}
	writes(small, true, nil)
	require.Equal(t, pieceCost, s.machine.peers[small].partialBytes)
	s.machine.peers[greedy].partialBytes += 2 * len(part) // as if there were as many more
	require.Len(t, s.machine.peers, 3)
	writes(other, true, part)
	require.Nil(t, s.machine.peers[greedy], "it has most")
	require.True(t, s.machine.former.has(greedy))
	require.Len(t, s.machine.peers, 2)
	s.machine.peers[other].partialBytes += 5 * len(part)
	writes(other, true, nil)
	require.Nil(t, s.machine.peers[other], "it has all")
	require.NotNil(t, s.machine.peers[small])
}
