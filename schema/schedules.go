package schema

import (
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
)

// ScheduleParams makes a schedule, or changes the one that has the name. It says either Cron, with
// a TimeZone, or EveryMs.
type ScheduleParams struct {
	Name     string `json:"name" jsonschema:"the name of the schedule, which is the label schedule of its tasks" schema:"minLength=1,maxLength=256"`
	Cron     string `json:"cron,omitzero" jsonschema:"when a task is due: minute, hour, day, month and weekday, as in crontab; L, W, # and names such as @daily, too" schema:"maxLength=1024"`
	EveryMs  int64  `json:"everyMs,omitzero" jsonschema:"in place of cron: a task is due each time so many milliseconds have passed" schema:"minimum=1000,maximum=315360000000"`
	TimeZone string `json:"timeZone,omitzero" jsonschema:"the time zone of cron, by its name in the IANA database, as Europe/Berlin; UTC where absent" schema:"maxLength=256"`
	// Submit is what is submitted for each due time.
	Submit  ScheduledSubmit `json:"submit" jsonschema:"the submit of each task: what can be the same for each"`
	Overlap OverlapPolicy   `json:"overlap,omitzero" jsonschema:"what happens where the last task has not ended when the next is due: skip makes none, queue lets the next wait for its end, replace cancels it" schema:"default=skip"`
	Missed  MissedPolicy    `json:"missed,omitzero" jsonschema:"what becomes of due times at which no server ran: skip makes no task for them, one makes one for the last of them, all makes one for each of the last 100, with overlap queue" schema:"default=skip"`
	// JitterMs spreads tasks that are due at the same time.
	JitterMs int64 `json:"jitterMs,omitzero" jsonschema:"each task runs up to so many milliseconds after it is due; how many follows from the name and the due time" schema:"minimum=0,maximum=86400000"`
	Until    Time  `json:"until,omitzero" jsonschema:"no task is due after it"`
}

// ScheduledSubmit is what the tasks of a schedule have of SubmitParams: nothing that is of one
// task, of one time, or of a connection.
type ScheduledSubmit struct {
	Type      string            `json:"type" jsonschema:"the name of a task type, or an alias" schema:"minLength=1"`
	Input     jsontext.Value    `json:"input,omitzero" jsonschema:"the input of each task, as the inputSchema of its type; {} where absent"`
	Priority  *int              `json:"priority,omitzero" jsonschema:"higher runs first; where absent that of the group, or 0" schema:"minimum=-100,maximum=100"`
	TimeoutMs int64             `json:"timeoutMs,omitzero" jsonschema:"bounds each attempt, in milliseconds; 0 is the time-out of the type, or else of the group, and -1 is none" schema:"minimum=-1,maximum=315360000000"`
	GraceMs   *int64            `json:"graceMs,omitzero" jsonschema:"how long a task may go on after it was told to stop, in milliseconds" schema:"minimum=0,maximum=315360000000"`
	Rerun     *bool             `json:"rerun,omitzero" jsonschema:"whether a task may run again where the executor died while it ran; where absent as the type says"`
	Labels    map[string]string `json:"labels,omitzero" jsonschema:"labels of the tasks, beside schedule; at most 31, of 256 bytes each" schema:"maxProperties=31,maxLength=256"`
	Group     string            `json:"group,omitzero" jsonschema:"the group in which the tasks count" schema:"maxLength=256"`
	Key       string            `json:"key,omitzero" jsonschema:"tasks of one key run one at a time, in the order of their submits" schema:"maxLength=256"`
	On        map[string]string `json:"on,omitzero" jsonschema:"the labels that an executor must have to run a task: each with this value" schema:"maxProperties=16,maxLength=256"`
	Needs     map[string]int64  `json:"needs,omitzero" jsonschema:"how much of each resource a task has while it runs" schema:"maxProperties=16,minimum=1"`
	Retry     *Retry            `json:"retry,omitzero" jsonschema:"whether and when a task is tried again after an attempt that has failed; where absent as the type says"`
	ExpireMs  int64             `json:"expireMs,omitzero" jsonschema:"a task fails if it has not started so many milliseconds after it was due and its jitter has passed; 0 is never" schema:"minimum=0,maximum=315360000000"`
}

// Params are the params of such a submit. They share its maps and its input.
func (s *ScheduledSubmit) Params() SubmitParams {
	return SubmitParams{
		Type: s.Type, Input: s.Input, Priority: s.Priority, TimeoutMs: s.TimeoutMs, GraceMs: s.GraceMs, Rerun: s.Rerun, Labels: s.Labels, ExpireMs: s.ExpireMs,
		Conditions: Conditions{Group: s.Group, Key: s.Key, Needs: s.Needs, On: s.On, Retry: s.Retry},
	}
}

// OverlapPolicy says what happens where the last task of a schedule has not ended when the next is
// due.
type OverlapPolicy string

// What happens then.
const (
	OverlapSkip    OverlapPolicy = "skip"    // there is no next task
	OverlapQueue   OverlapPolicy = "queue"   // the next task waits for its end
	OverlapReplace OverlapPolicy = "replace" // it is cancelled, and the next task waits for its end
)

// MissedPolicy says what becomes of due times at which no server ran.
type MissedPolicy string

// What becomes of them.
const (
	MissedSkip MissedPolicy = "skip" // there is no task for them
	MissedOne  MissedPolicy = "one"  // there is a task for the last of them
	MissedAll  MissedPolicy = "all"  // there is a task for each of the last of them
)

// Schedule is a schedule as it is now.
type Schedule struct {
	ScheduleParams
	CreatedAt Time `json:"createdAt" jsonschema:"when it was made"`
	// NextAt is zero where no task is due any more.
	NextAt  Time           `json:"nextAt,omitzero" jsonschema:"when the next task is due; absent where none is any more"`
	Last    *ScheduledTask `json:"last,omitzero" jsonschema:"its last task; absent before the first"`
	Skipped *SkippedTime   `json:"skipped,omitzero" jsonschema:"the last due time for which there was no task"`
	Fault   string         `json:"fault,omitzero" jsonschema:"why it makes no tasks here, where it cannot"`
}

// ScheduledTask is a task of a schedule.
type ScheduledTask struct {
	DueAt Time      `json:"dueAt" jsonschema:"when it was due"`
	ID    uuid.UUID `json:"id" jsonschema:"the id of the task"`
	// State is nil where the task is no longer kept.
	State *State     `json:"state,omitzero" jsonschema:"where the task is in its life; absent where it is no longer kept"`
	Error *TaskError `json:"error,omitzero" jsonschema:"why it failed or was cancelled; only then"`
}

// SkippedTime is a due time for which there was no task.
type SkippedTime struct {
	DueAt  Time   `json:"dueAt" jsonschema:"when a task was due"`
	Reason string `json:"reason" jsonschema:"why there was none, for a person"`
}

// UnscheduleParams names a schedule.
type UnscheduleParams struct {
	Name string `json:"name" jsonschema:"the name of the schedule" schema:"minLength=1,maxLength=256"`
}

// UnscheduleResult says whether there was such a schedule.
type UnscheduleResult struct {
	Existed bool `json:"existed" jsonschema:"whether there was a schedule of the name"`
}

// SchedulesParams asks for schedules, sorted by name.
type SchedulesParams struct {
	Limit  int    `json:"limit,omitzero" jsonschema:"the most schedules to answer with" schema:"minimum=1,maximum=1000,default=100"`
	Cursor string `json:"cursor,omitzero" jsonschema:"the nextCursor of the page before"`
}

// SchedulesResult is a page of schedules.
type SchedulesResult struct {
	Schedules  []Schedule `json:"schedules" jsonschema:"the schedules, sorted by name"`
	NextCursor string     `json:"nextCursor,omitzero" jsonschema:"where to go on; absent at the end"`
}
