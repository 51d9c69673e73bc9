package rpc

import (
	"strconv"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/rpc/wire"
	"github.com/jobline/jobline/schema"
)

// This file writes the messages that come by the hundred thousand a second.
// A test holds it against what the wire types marshal to.

// appendReply appends a response with the result that f appends.
func appendReply(b, id []byte, f func([]byte) []byte) []byte {
	return append(f(appendReplyHead(b, id)), '}')
}

// appendReplyHead appends a response up to its result.
func appendReplyHead(b, id []byte) []byte {
	b = append(b, `{"jsonrpc":"2.0","id":`...)
	b = append(b, id...)
	return append(b, `,"result":`...)
}

// appendNotificationHead appends a notification up to its params.
func appendNotificationHead(b []byte, method string) []byte {
	b = append(b, `{"jsonrpc":"2.0","method":"`...)
	b = append(b, method...)
	return append(b, `","params":`...)
}

// notificationOf names the notifications of events.
var notificationOf = [...]string{
	executor.EventStarted:  schema.NotifyStarted,
	executor.EventProgress: schema.NotifyProgress,
	executor.EventOutput:   schema.NotifyOutput,
	executor.EventRetrying: schema.NotifyRetrying,
	executor.EventUpdated:  schema.NotifyUpdated,
	executor.EventFinished: schema.NotifyFinished,
}

// appendEvent appends the params of an event other than output.
func appendEvent(b []byte, ev *executor.Event) []byte {
	switch ev.Kind {
	case executor.EventStarted:
		return appendStarted(b, ev)
	case executor.EventProgress:
		return appendProgress(b, ev)
	case executor.EventRetrying:
		return appendRetrying(b, ev)
	case executor.EventUpdated:
		return appendUpdated(b, ev)
	default:
		return appendFinished(b, ev)
	}
}

// appendTask appends a task without its input and without the closing brace,
// so that more members can follow.
func appendTask(b []byte, t *schema.Task) []byte {
	b = append(b, `{"id":`...)
	b = appendID(b, t.ID)
	b = append(b, `,"type":`...)
	b = wire.AppendString(b, t.Type)
	b = append(b, `,"state":"`...)
	b = append(b, t.State.String()...)
	b = append(b, `","priority":`...)
	b = strconv.AppendInt(b, int64(t.Priority), 10)
	b = append(b, `,"attempt":`...)
	b = strconv.AppendInt(b, int64(t.Attempt), 10)
	b = append(b, `,"labels":`...)
	b = appendLabels(b, t.Labels)
	b = appendTime(b, `,"createdAt":"`, t.CreatedAt)
	b = appendTime(b, `,"startedAt":"`, t.StartedAt)
	b = appendTime(b, `,"finishedAt":"`, t.FinishedAt)
	b = appendTime(b, `,"cancelRequestedAt":"`, t.CancelRequestedAt)
	if t.CancelReason != "" {
		b = append(b, `,"cancelReason":`...)
		b = wire.AppendString(b, t.CancelReason)
	}
	if t.Progress != nil {
		b = append(b, `,"progress":`...)
		b = wire.AppendJSON(b, t.Progress)
	}
	if t.Result != nil {
		b = append(b, `,"result":`...)
		b = append(b, t.Result...)
	}
	if t.Error != nil {
		b = append(b, `,"error":`...)
		b = wire.AppendJSON(b, t.Error)
	}
	if t.OutputBytes != nil {
		b = append(b, `,"outputBytes":`...)
		b = wire.AppendJSON(b, t.OutputBytes)
	}
	if t.Conditions != nil {
		b = append(b, `,"conditions":`...)
		b = wire.AppendJSON(b, t.Conditions)
	}
	if t.WaitingFor != nil {
		b = append(b, `,"waitingFor":`...)
		b = wire.AppendJSON(b, t.WaitingFor)
	}
	if t.Attempts != nil {
		b = append(b, `,"attempts":`...)
		b = wire.AppendJSON(b, t.Attempts)
	}
	if t.Children != nil {
		b = append(b, `,"children":`...)
		b = wire.AppendJSON(b, t.Children)
	}
	if t.Terms != nil {
		b = append(b, `,"terms":`...)
		b = wire.AppendJSON(b, t.Terms)
	}
	b = appendPlace(b, `,"runsOn":`, t.RunsOn)
	b = appendPlace(b, `,"ranOn":`, t.RanOn)
	if t.Stopped {
		b = append(b, `,"stopped":true`...)
	}
	if t.Incomplete {
		b = append(b, `,"incomplete":true`...)
	}
	return b
}

// appendPlace appends the member of an executor that has or had a task, nil for none.
func appendPlace(b []byte, member string, on *schema.RunsOn) []byte {
	if on == nil {
		return b
	}
	return wire.AppendJSON(append(b, member...), on)
}

func appendSubmitted(b []byte, t *schema.Task, existing bool) []byte {
	b = appendTask(b, t)
	if existing {
		b = append(b, `,"existing":true`...)
	}
	return append(b, '}')
}

// appendCancelled appends the result of a cancel.
func appendCancelled(b []byte, a *executor.CancelAnswer) []byte {
	b = append(b, `{"outcome":"`...)
	b = append(b, a.Outcome...)
	b = append(b, `","task":`...)
	return append(appendTask(b, &a.Task), "}}"...)
}

// appendWaited appends the result of a wait.
func appendWaited(b []byte, tasks []*schema.Task, timedOut bool) []byte {
	b = append(b, `{"tasks":[`...)
	for i, t := range tasks {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendTask(b, t), '}')
	}
	b = append(b, `],"timedOut":`...)
	b = strconv.AppendBool(b, timedOut)
	return append(b, '}')
}

func appendFinished(b []byte, ev *executor.Event) []byte {
	b = appendTask(b, ev.Task)
	b = appendSeq(b, ev.Seq)
	return append(b, '}')
}

func appendStarted(b []byte, ev *executor.Event) []byte {
	b = append(b, `{"id":`...)
	b = appendID(b, ev.ID)
	b = appendSeq(b, ev.Seq)
	b = append(b, `,"attempt":`...)
	b = strconv.AppendInt(b, int64(ev.Attempt), 10)
	b = appendTime(b, `,"startedAt":"`, ev.StartedAt)
	if ev.PID != 0 {
		b = append(b, `,"pid":`...)
		b = strconv.AppendInt(b, int64(ev.PID), 10)
	}
	return append(b, '}')
}

func appendProgress(b []byte, ev *executor.Event) []byte {
	return wire.AppendJSON(b, schema.ProgressEvent{ID: ev.ID, Seq: ev.Seq, Progress: *ev.Progress})
}

func appendRetrying(b []byte, ev *executor.Event) []byte {
	return wire.AppendJSON(b, schema.RetryingEvent{ID: ev.ID, Seq: ev.Seq, Attempt: ev.Attempt, Error: ev.Next.Error, RunAt: ev.Next.At})
}

func appendUpdated(b []byte, ev *executor.Event) []byte {
	t := ev.Task
	message := schema.UpdatedEvent{ID: ev.ID, Seq: ev.Seq, Priority: t.Priority, Labels: t.Labels, Conditions: t.Conditions, Sent: ev.Sent}
	if ev.Next != nil {
		message.RunAt = ev.Next.At
	}
	return wire.AppendJSON(b, message)
}

func appendID(b []byte, id uuid.UUID) []byte {
	text := executor.IDText(id)
	b = append(append(b, '"'), text[:]...)
	return append(b, '"')
}

func appendSeq(b []byte, seq uint64) []byte {
	b = append(b, `,"seq":`...)
	return strconv.AppendUint(b, seq, 10)
}

// appendTime appends a member with a time, or nothing for none.
func appendTime(b []byte, name string, t schema.Time) []byte {
	if t.IsZero() {
		return b
	}
	b = append(b, name...)
	b = t.Append(b)
	return append(b, '"')
}

func appendLabels(b []byte, labels map[string]string) []byte {
	owner, owned := labels[ownerLabel]
	switch {
	case len(labels) == 0:
		return append(b, "{}"...)
	case owned && len(labels) == 1: // as all tasks of a client that has a name
		b = append(b, `{"`+ownerLabel+`":`...)
		return append(wire.AppendString(b, owner), '}')
	}
	return wire.AppendJSON(b, labels)
}
