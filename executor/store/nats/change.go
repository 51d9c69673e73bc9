package nats

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/plan"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/schema"
)

// change is one change of the queue or of its processes: one of its fields says which. Seen, Leases, All and Again only
// go with another field. machine.apply decides what a change with more fields does; Role.setsOnly refuses such a
// change of a driver. The order of the fields is part of the format.
type change struct {
	Hello     *hello         `json:"hello,omitzero"`
	Beat      bool           `json:"beat,omitzero"`   // the process is alive, and time has passed
	Seen      *entryDigest   `json:"seen,omitzero"`   // with Beat
	Leave     bool           `json:"leave,omitzero"`  // the process ends
	Drop      bool           `json:"drop,omitzero"`   // the process has given up the Leases
	Leases    []attempt      `json:"leases,omitzero"` // with Drop
	Fence     *fence         `json:"fence,omitzero"`
	Drain     *drain         `json:"drain,omitzero"`
	Join      *join          `json:"join,omitzero"`
	Quit      int            `json:"quit,omitzero"` // the claimer with this number leaves
	Limits    *limits        `json:"limits,omitzero"`
	Submit    []submission   `json:"submit,omitzero"`
	All       bool           `json:"all,omitzero"` // with Submit: make all of the submissions or none
	DryRun    []submission   `json:"dryRun,omitzero"`
	Claim     int            `json:"claim,omitzero"` // the claimer with this number asks for a task
	Again     bool           `json:"again,omitzero"` // with Claim: it got nothing before, and has waited since
	Rest      int            `json:"rest,omitzero"`  // a claim of the claimer with this number no longer waits
	Return    *attempt       `json:"return,omitzero"`
	Started   *started       `json:"started,omitzero"`
	Progress  *progress      `json:"progress,omitzero"`
	Output    *output        `json:"output,omitzero"`
	Finish    *finish        `json:"finish,omitzero"`
	Retry     *retry         `json:"retry,omitzero"`
	Release   *attempt       `json:"release,omitzero"`
	Cancel    *cancel        `json:"cancel,omitzero"`
	Update    *update        `json:"update,omitzero"`
	Group     *group         `json:"group,omitzero"`
	Pause     *bool          `json:"pause,omitzero"`
	Schedules []scheduleText `json:"schedules,omitzero"`
}

// hello is the first message of a process: it makes the process known to the others.
type hello struct {
	Name string `json:"name"`
	Host string `json:"host"`
	PID  int    `json:"pid"`
	// Slots is how many tasks the process runs at once.
	Slots int `json:"slots,omitzero"`
	// Lease is how many nanoseconds the process may be silent before the others fence it.
	Lease int64 `json:"lease"`
	// Role is ignored when read: the role of a process is that of the subject to which it has sent its hello.
	Role Role `json:"role,omitzero"`
	// Rules is the rulesVersion of the process. 0 means that its version of jobline did not send one.
	Rules int `json:"rules,omitzero"`
	// Over fences executors with other rules that were silent for their leases. It has the effect of a Fence
	// for each.
	Over []fence `json:"over,omitzero"`
	// Draining and Ending are the effect of the latest drain of the process, so that a process that joins again
	// stays drained.
	Draining bool `json:"draining,omitzero"`
	Ending   bool `json:"ending,omitzero"`
	// Next is the first entry that the process had not applied when it sent this. 0 means that its version of
	// jobline did not send it.
	Next uint64 `json:"next,omitzero"`
}

// drain tells a process to begin no more tasks or, with Undo, to begin tasks again. With End the process is to
// end, too.
type drain struct {
	Peer uuid.UUID `json:"peer"`
	Undo bool      `json:"undo,omitzero"`
	End  bool      `json:"end,omitzero"`
}

// fence takes a process out, unless it has written another message after the one with the number Last.
type fence struct {
	Peer uuid.UUID `json:"peer"`
	Last uint64    `json:"last"`
}

// entryDigest is the digest of a process's copy after an entry that had a Beat.
type entryDigest struct {
	Entry  uint64 `json:"entry"`
	Digest uint64 `json:"digest,string"`
}

// join is an executor.Offer as it is in the log: a claimer joins with it.
type join struct {
	Number int                 `json:"number"`
	Every  bool                `json:"every,omitzero"` // it takes tasks of every type
	Types  []string            `json:"types,omitzero"`
	Labels map[string]string   `json:"labels,omitempty"`
	Limits executor.TypeLimits `json:"limits,omitzero"`
}

func joinOf(number int, o executor.Offer) join {
	return join{Number: number, Every: o.Types == nil, Types: o.Types, Labels: o.Labels, Limits: o.Limits}
}

func (j *join) offer() executor.Offer {
	o := executor.Offer{Types: j.Types, Labels: j.Labels, Limits: j.Limits}
	if o.Types == nil && !j.Every {
		o.Types = []string{}
	}
	return o
}

// limits are memory.Options as they are in the log. Those that are zero stay as they are.
type limits struct {
	Keep      int              `json:"keep,omitzero"`
	KeepFor   int64            `json:"keepFor,omitzero"` // nanoseconds
	KeepBytes int64            `json:"keepBytes,omitzero"`
	KeepIDs   int              `json:"keepIds,omitzero"`
	MaxQueued int              `json:"maxQueued,omitzero"`
	MaxOutput int              `json:"maxOutput,omitzero"`
	Resources map[string]int64 `json:"resources,omitempty"`
}

func limitsOf(o memory.Options) *limits {
	return &limits{o.Keep, int64(o.KeepFor), o.KeepBytes, o.KeepIDs, o.MaxQueued, o.MaxOutput, o.Resources}
}

func (l *limits) options() memory.Options {
	return memory.Options{
		Keep: l.Keep, KeepFor: time.Duration(l.KeepFor), KeepBytes: l.KeepBytes, KeepIDs: l.KeepIDs,
		MaxQueued: l.MaxQueued, MaxOutput: l.MaxOutput, Resources: l.Resources,
	}
}

// submission is an executor.Submission as it is in the log. Owner and Events have a meaning only in the process
// that wrote it.
type submission struct {
	ID         uuid.UUID          `json:"id"`
	Type       string             `json:"type"`
	Priority   int8               `json:"priority,omitzero"`
	Labels     map[string]string  `json:"labels,omitempty"`
	Created    int64              `json:"created"`
	Timeout    int64              `json:"timeout,omitzero"` // nanoseconds
	Grace      int64              `json:"grace,omitzero"`   // nanoseconds
	Rerun      bool               `json:"rerun,omitzero"`
	Conditions *schema.Conditions `json:"conditions,omitzero"`
	NewID      bool               `json:"newId,omitzero"`
	Owner      executor.WatcherID `json:"owner,omitzero"`
	Events     executor.EventMask `json:"events,omitzero"`
	Posted     bool               `json:"posted,omitzero"`
	Size       int                `json:"size"`
	input      []byte
}

func submissionOf(s *executor.Submission) submission {
	return submission{
		ID: s.ID, Type: s.Type, Priority: s.Priority, Labels: s.Labels, Created: int64(s.CreatedAt), Timeout: int64(s.Timeout), Grace: int64(s.Grace),
		Rerun: s.Rerun, Conditions: s.Conditions, NewID: s.NewID, Owner: s.Owner, Events: s.Events, Posted: s.Posted, input: s.Input,
	}
}

func submissionsOf(all []executor.Submission) []submission {
	made := make([]submission, len(all))
	for i := range all {
		made[i] = submissionOf(&all[i])
	}
	return made
}

// submission is what a process applies. own says that this process wrote it.
func (s *submission) submission(own bool) executor.Submission {
	r := executor.Submission{NewID: s.NewID, Posted: s.Posted}
	r.ID, r.Type, r.Priority, r.Labels, r.CreatedAt, r.Input = s.ID, s.Type, s.Priority, s.Labels, schema.Time(s.Created), s.input
	r.Timeout, r.Grace, r.Rerun, r.Conditions = time.Duration(s.Timeout), time.Duration(s.Grace), s.Rerun, s.Conditions
	if own {
		r.Owner, r.Events = s.Owner, s.Events
	}
	return r
}

// attempt names one attempt of a task, for which the writer of the entry holds the lease.
type attempt struct {
	ID     uuid.UUID `json:"id"`
	Number int32     `json:"attempt"`
}

type started struct {
	attempt
	PID int `json:"pid,omitzero"`
}

type progress struct {
	attempt
	schema.Progress
}

type output struct {
	attempt
	Stream schema.Stream `json:"stream"`
	Size   int           `json:"size"`
	data   []byte
}

type finish struct {
	attempt
	State  schema.State      `json:"state"`
	Error  *schema.TaskError `json:"error,omitzero"`
	Size   int               `json:"size,omitzero"` // of the result
	result []byte
}

// retry is an executor.NextAttempt as it is in the log.
type retry struct {
	attempt
	At         int64             `json:"at,omitzero"`
	Error      *schema.TaskError `json:"error,omitzero"`
	Rerun      bool              `json:"rerun,omitzero"`
	InputEnded bool              `json:"inputEnded,omitzero"`
}

func retryOf(of attempt, a *executor.NextAttempt) *retry {
	return &retry{of, int64(a.At), a.Error, a.Rerun, a.InputEnded}
}

func (r *retry) again() *executor.NextAttempt {
	return &executor.NextAttempt{At: schema.Time(r.At), Error: r.Error, Rerun: r.Rerun, InputEnded: r.InputEnded}
}

type cancel struct {
	IDs    []uuid.UUID `json:"ids"`
	Reason string      `json:"reason,omitzero"`
	Force  bool        `json:"force,omitzero"`
}

func (c *cancel) cancellation() executor.Cancellation {
	return executor.Cancellation{Reason: c.Reason, Force: c.Force}
}

// update is an executor.Update as it is in the log.
type update struct {
	ID       uuid.UUID         `json:"id"`
	Priority *int8             `json:"priority,omitzero"`
	RunAt    *int64            `json:"runAt,omitzero"`
	Expires  *int64            `json:"expires,omitzero"`
	Labels   map[string]string `json:"labels,omitempty"`
	Group    *string           `json:"group,omitzero"`
	On       map[string]string `json:"on,omitzero"` // empty, and not nil, is none
}

func updateOf(id uuid.UUID, u *executor.Update) *update {
	return &update{id, u.Priority, (*int64)(u.RunAt), (*int64)(u.ExpiresAt), u.Labels, u.Group, u.On}
}

func (u *update) update() *executor.Update {
	return &executor.Update{
		Priority: u.Priority, RunAt: (*schema.Time)(u.RunAt), ExpiresAt: (*schema.Time)(u.Expires), Labels: u.Labels, Group: u.Group, On: u.On,
	}
}

type group struct {
	Name     string `json:"name"`
	Limit    int    `json:"limit,omitzero"`
	Paused   bool   `json:"paused,omitzero"`
	Count    int    `json:"count,omitzero"`
	Per      int64  `json:"per,omitzero"` // nanoseconds
	Defaults string `json:"defaults,omitzero"`
}

func groupOf(name string, s plan.Settings) *group {
	return &group{name, s.Limit, s.Paused, s.Rate.Count, int64(s.Rate.Per), s.Defaults}
}

func (g *group) settings() plan.Settings {
	return plan.Settings{Limit: g.Limit, Paused: g.Paused, Rate: plan.Rate{Count: g.Count, Per: time.Duration(g.Per)}, Defaults: g.Defaults}
}

// scheduleText is an executor.ScheduleText as it is in the log.
type scheduleText struct {
	Name    string `json:"name"`
	Removed bool   `json:"removed,omitzero"`
	Text    []byte `json:"text,omitempty"`
}

func schedulesOf(all []executor.ScheduleText) (texts []scheduleText) {
	for _, s := range all {
		texts = append(texts, scheduleText{s.Name, s.Text == nil, s.Text})
	}
	return texts
}

func textsOf(all []scheduleText) (texts []executor.ScheduleText) {
	for _, s := range all {
		t := executor.ScheduleText{Name: s.Name, Text: s.Text}
		if s.Removed {
			t.Text = nil
		}
		texts = append(texts, t)
	}
	return texts
}

// blobs calls f for each run of bytes that stands after the JSON of the message, with where its length is.
func (c *change) blobs(f func(size *int, bytes *[]byte)) {
	for i := range c.Submit {
		f(&c.Submit[i].Size, &c.Submit[i].input)
	}
	for i := range c.DryRun {
		f(&c.DryRun[i].Size, &c.DryRun[i].input)
	}
	if c.Output != nil {
		f(&c.Output.Size, &c.Output.data)
	}
	if c.Finish != nil {
		f(&c.Finish.Size, &c.Finish.result)
	}
}

// weight estimates how many bytes the change takes in the log.
func (c *change) weight() int {
	n := 100 + 400*(len(c.Submit)+len(c.DryRun))
	c.blobs(func(_ *int, bytes *[]byte) { n += len(*bytes) })
	return n
}

// lenientJSON takes every text that a task may have, also invalid UTF-8. It writes equal values as equal bytes.
var lenientJSON = json.JoinOptions(jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true), json.Deterministic(true))

// strictJSON refuses members that this version does not know: a process that skipped what another one has
// written would have a different copy from then on.
var strictJSON = json.JoinOptions(lenientJSON, json.RejectUnknownMembers(true))

// encode makes the text of a message: the length of the JSON, the JSON, and the blobs after it.
func encode(changes []change) ([]byte, error) {
	tail := 0
	for i := range changes {
		changes[i].blobs(func(size *int, bytes *[]byte) {
			*size = len(*bytes)
			tail += len(*bytes)
		})
	}
	text, err := json.Marshal(changes, lenientJSON)
	if err != nil {
		return nil, err
	}
	all := binary.AppendUvarint(make([]byte, 0, binary.MaxVarintLen64+len(text)+tail), uint64(len(text)))
	all = append(all, text...)
	for i := range changes {
		changes[i].blobs(func(_ *int, bytes *[]byte) { all = append(all, *bytes...) })
	}
	return all, nil
}

// decode reads what encode has written. A blob that is more than half of the text is a slice of it; smaller
// blobs are copied, so that a small input does not keep a large text in memory.
func decode(text []byte) (changes []change, err error) { return decodeAs(text, strictJSON) }

func decodeAs(text []byte, how json.Options) (changes []change, err error) {
	n, used := binary.Uvarint(text)
	if used <= 0 || n > uint64(len(text)-used) {
		return nil, fmt.Errorf("a message of %d bytes says that %d of them are JSON", len(text), n)
	}
	tail := text[used+int(n):]
	if err := json.Unmarshal(text[used:][:n], &changes, how); err != nil {
		return nil, err
	}
	for i := range changes {
		changes[i].blobs(func(size *int, bytes *[]byte) {
			if err != nil {
				return
			}
			if *size < 0 || *size > len(tail) {
				err = fmt.Errorf("a message ends before the %d bytes of a change", *size)
				return
			}
			if *bytes, tail = tail[:*size:*size], tail[*size:]; 2**size < len(text) {
				*bytes = append([]byte(nil), *bytes...)
			}
		})
	}
	return changes, err
}
