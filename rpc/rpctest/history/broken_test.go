package history_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/rpc/rpctest/history"
)

// uuidOf makes a UUID of a letter.
func uuidOf(task string) string { return "018f0000-0000-4000-8000-0000000000a" + task }

// The lines of a history, as a client number, a request's id and a task's
// digit make them.
func ask(client, id int, method, params string) string {
	return fmt.Sprintf(`%d→ {"jsonrpc":"2.0","id":%d,"method":%q,"params":%s}`, client, id, method, params)
}

func answer(client, id int, result string) string {
	return fmt.Sprintf(`%d← {"jsonrpc":"2.0","id":%d,"result":%s}`, client, id, result)
}

func refuse(client, id, code int, message string) string {
	return fmt.Sprintf(`%d← {"jsonrpc":"2.0","id":%d,"error":{"code":%d,"message":%q}}`, client, id, code, message)
}

func tell(client int, method, task string, seq int, more string) string {
	return fmt.Sprintf(`%d← {"jsonrpc":"2.0","method":%q,"params":{"id":%q,"seq":%d%s}}`, client, method, uuidOf(task), seq, more)
}

const (
	quickTask = `"type":"quick"`
	ran       = `,"createdAt":"2026-01-01T00:00:00.000000Z","startedAt":"2026-01-01T00:00:01.000000Z","finishedAt":"2026-01-01T00:00:02.000000Z"`
	completed = `"type":"quick","state":"completed","result":{"ms":0}` + ran
	cancelled = `"type":"quick","state":"cancelled","error":{"kind":"cancelled"},"finishedAt":"2026-01-01T00:00:02.000000Z"`
)

func submit(client, id int, task, more string) string {
	return ask(client, id, "submit", fmt.Sprintf(`{"type":"quick","id":%q%s}`, uuidOf(task), more))
}

func shown(task, fields string) string { return fmt.Sprintf(`{"id":%q,%s}`, uuidOf(task), fields) }

func queued(task string) string { return shown(task, `"type":"quick","state":"queued"`) }

func status(client, id int, task string) string {
	return ask(client, id, "status", fmt.Sprintf(`{"id":%q}`, uuidOf(task)))
}

func wait(client, id int, more string, tasks ...string) string {
	var ids []string
	for _, task := range tasks {
		ids = append(ids, fmt.Sprintf("%q", uuidOf(task)))
	}
	return ask(client, id, "wait", fmt.Sprintf(`{"ids":[%s]%s}`, strings.Join(ids, ","), more))
}

func waited(client, id int, timedOut bool, tasks ...string) string {
	return answer(client, id, fmt.Sprintf(`{"tasks":[%s],"timedOut":%t}`, strings.Join(tasks, ","), timedOut))
}

func started(client int, task string, seq int) string {
	return tell(client, "task/started", task, seq, `,"attempt":1`)
}

func finished(client int, task string, seq int) string {
	return tell(client, "task/finished", task, seq, ","+completed)
}

// life is a task from its submit to its end on one connection, with seqs from a number on.
func life(client, id int, task string, seq int) []string {
	return []string{submit(client, id, task, ""), answer(client, id, queued(task)), started(client, task, seq), finished(client, task, seq+4)}
}

// both is a life on client 0, and the same events for client 1, which has subscribed.
func both(id int, task string, seq int) []string {
	return append(life(0, id, task, seq), started(1, task, seq), finished(1, task, seq+4))
}

func lines(parts ...any) string {
	var all []string
	for _, part := range parts {
		switch p := part.(type) {
		case string:
			all = append(all, p)
		case []string:
			all = append(all, p...)
		}
	}
	return strings.Join(all, "\n")
}

func subscribed(client, id, number, seq int, params, more string) []string {
	return []string{ask(client, id, "subscribe", params), answer(client, id, fmt.Sprintf(`{"subscription":%d,"seq":%d%s}`, number, seq, more))}
}

func replayed(client, number, seq int) string {
	return fmt.Sprintf(`%d← {"jsonrpc":"2.0","method":"subscription/replayed","params":{"subscription":%d,"seq":%d}}`, client, number, seq)
}

// without leaves out the line with a number.
func without(n int, all []string) []string {
	return append(append([]string{}, all[:n]...), all[n+1:]...)
}

// swapped exchanges two lines.
func swapped(i, j int, all []string) []string {
	all = append([]string{}, all...)
	all[i], all[j] = all[j], all[i]
	return all
}

// batchThatWaits is a batch that submits a task, and is not answered before another ends.
func batchThatWaits(client int, task string) string {
	return fmt.Sprintf(`%d→ [{"jsonrpc":"2.0","id":1,"method":"submit","params":{"type":"quick","id":"%s"}},{"jsonrpc":"2.0","id":2,"method":"wait","params":{"ids":["%s"]}}]`,
		client, uuidOf(task), uuidOf("2"))
}

var sound = map[string]string{
	"a life":                         lines(life(0, 1, "1", 1)),
	"two lives, one after the other": lines(life(0, 1, "1", 1), life(0, 2, "2", 6)),
	"a subscription":                 lines(subscribed(1, 1, 1, 0, `{}`, ""), both(1, "1", 1)),
	"a replay":                       lines(life(0, 1, "1", 1), subscribed(0, 2, 1, 5, `{"after":0}`, `,"gap":true`), finished(0, "1", 5), replayed(0, 1, 5)),
	"a resubmit":                     lines(life(0, 1, "1", 1), submit(0, 2, "1", ""), answer(0, 2, shown("1", `"existing":true,`+completed))),
	"a wait":                         lines(submit(0, 1, "1", ""), wait(0, 2, "", "1"), answer(0, 1, queued("1")), started(0, "1", 1), finished(0, "1", 5), waited(0, 2, false, shown("1", completed))),
	"a task that is stopped before it says that it has begun": lines(
		ask(0, 1, "submit", fmt.Sprintf(`{"type":"reading","id":%q,"timeoutMs":1,"graceMs":0}`, uuidOf("1"))), answer(0, 1, queued("1")),
		tell(0, "task/finished", "1", 2, `,"type":"reading","state":"failed","error":{"kind":"timeout"}`+ran)),
	"a batch": lines(
		`0→ [{"jsonrpc":"2.0","id":1,"method":"submit","params":{"type":"quick","id":"`+uuidOf("1")+`"}},{"jsonrpc":"2.0","id":2,"method":"wait","params":{"ids":["`+uuidOf("1")+`"]}}]`,
		`0← [{"jsonrpc":"2.0","id":1,"result":`+queued("1")+`},{"jsonrpc":"2.0","id":2,"result":{"tasks":[`+shown("1", completed)+`],"timedOut":false}}]`,
		started(0, "1", 1), finished(0, "1", 5)),
	"a batch that is not waited for": lines(subscribed(1, 1, 1, 0, `{}`, ""), batchThatWaits(0, "1"),
		started(1, "1", 1), finished(1, "1", 5), subscribed(0, 3, 1, 5, `{"after":0}`, `,"gap":true`), replayed(0, 1, 5), "0× cut"),
	"a task of another in a batch that is not waited for": lines(submit(0, 1, "1", ""), answer(0, 1, queued("1")), batchThatWaits(1, "1"),
		started(0, "1", 1), started(1, "1", 1), finished(0, "1", 5), finished(1, "1", 5), "1× cut"),
	"a cancel": lines(submit(0, 1, "1", ""), ask(0, 2, "cancel", `{"id":"`+uuidOf("1")+`"}`), answer(0, 1, queued("1")),
		answer(0, 2, `{"outcome":"cancelled","task":`+shown("1", cancelled)+`}`), tell(0, "task/finished", "1", 4, ","+cancelled)),
	"an input": lines(reading(0, 1, "1"), input(0, 2, "1", "0.1"), answer(0, 2, `{}`), input(0, 3, "1", "0.2"), answer(0, 3, `{}`), heard(0, "1", `"0.1","0.2"`),
		input(0, 4, "1", "0.3"), refuse(0, 4, 1006, "the task has ended")),
	"a missing task": lines(status(0, 1, "1"), refuse(0, 1, 1001, uuidOf("1")+": task not found")),
	"a connection that is cut": lines(subscribed(1, 1, 1, 0, `{}`, ""), submit(0, 1, "1", `,"onDisconnect":"cancel"`), "0× cut",
		tell(1, "task/finished", "1", 4, ","+cancelled), submit(1, 2, "1", ""), answer(1, 2, shown("1", `"existing":true,`+cancelled))),
	"a shutdown of a connection": lines(submit(0, 1, "1", ""), wait(0, 2, "", "1"), answer(0, 1, queued("1")), ask(0, 3, "shutdown", `{}`),
		refuse(0, 2, 1005, "leaving"), left(0, 3, 1), status(1, 1, "1"), answer(1, 1, shown("1", completed))),
	"a shutdown that cancels": lines(submit(0, 1, "1", ""), answer(0, 1, queued("1")), ask(0, 2, "shutdown", `{"mode":"cancel"}`),
		tell(0, "task/finished", "1", 4, ","+cancelled), left(0, 2, 0), status(1, 1, "1"), answer(1, 1, shown("1", cancelled))),
	"an end of input": lines(submit(0, 1, "1", ""), answer(0, 1, queued("1")), "0× end of input", status(1, 1, "1"), answer(1, 1, shown("1", completed))),
}

func left(client, id, tasks int) string {
	return answer(client, id, fmt.Sprintf(`{"completed":0,"failed":0,"cancelled":0,"left":%d}`, tasks))
}

func TestSoundHistoriesPass(t *testing.T) {
	for name, transcript := range sound {
		t.Run(name, func(t *testing.T) { require.Empty(t, checked(t, transcript)) })
	}
}

// reading is the submit of a task that takes input, and heard its end.
func reading(client, id int, task string) []string {
	return []string{
		ask(client, id, "submit", fmt.Sprintf(`{"type":"reading","id":%q}`, uuidOf(task))), answer(client, id, queued(task)), started(client, task, 1),
	}
}

func heard(client int, task, texts string) string {
	return tell(client, "task/finished", task, 9, `,"type":"reading","state":"completed","result":{"ms":0,"heard":[`+texts+`]}`+ran)
}

func input(client, id int, task, text string) string {
	return ask(client, id, "input", fmt.Sprintf(`{"id":%q,"data":%q}`, uuidOf(task), text))
}

// broken has histories by the guarantee that each breaks.
var broken = []struct{ guarantee, how, transcript string }{
	{"answers", "a request is not answered", lines(life(0, 1, "1", 1), status(0, 2, "1"))},
	{"answers", "a request is not answered before the end of input", lines(life(0, 1, "1", 1), status(0, 2, "1"), "0× end of input")},
	{"answers", "a wait is refused, and nobody leaves", lines(life(0, 1, "1", 1), wait(0, 2, "", "1"), refuse(0, 2, 1005, "leaving"))},
	{"6", "a shutdown cancels a task that was to go on", lines(submit(0, 1, "1", ""), answer(0, 1, queued("1")), ask(0, 2, "shutdown", `{}`),
		left(0, 2, 1), status(1, 1, "1"), answer(1, 1, shown("1", cancelled)))},
	{"6", "a task is cancelled with a connection that has not made it", lines(life(1, 1, "1", 1)[:2], submit(0, 1, "1", `,"onDisconnect":"cancel"`),
		answer(0, 1, shown("1", `"existing":true,"type":"quick","state":"queued"`)), "0× cut", tell(1, "task/finished", "1", 4, ","+cancelled))},
	{"6", "a task outlives the connection with which it was to end", lines(
		ask(0, 1, "submit", `{"type":"slow","id":"`+uuidOf("1")+`","input":{"ms":86400000},"onDisconnect":"cancel"}`), answer(0, 1, queued("1")), "0× cut",
		status(1, 1, "1"), answer(1, 1, shown("1", `"type":"slow","state":"completed","result":{"ms":86400000}`+ran)))},
	{"ends", "a message comes behind the reply to shutdown", lines(submit(0, 1, "1", ""), answer(0, 1, queued("1")), ask(0, 2, "shutdown", `{}`),
		left(0, 2, 1), started(0, "1", 1), status(1, 1, "1"), answer(1, 1, shown("1", completed)))},
	{"ends", "a shutdown that cancels leaves a task", lines(submit(0, 1, "1", ""), answer(0, 1, queued("1")), ask(0, 2, "shutdown", `{"mode":"cancel"}`),
		tell(0, "task/finished", "1", 4, ","+cancelled), left(0, 2, 1))},
	{"ends", "a task goes on after a shutdown that cancels", lines(submit(0, 1, "1", ""), answer(0, 1, queued("1")), ask(0, 2, "shutdown", `{"mode":"cancel"}`),
		left(0, 2, 0), status(1, 1, "1"), answer(1, 1, queued("1")), status(1, 2, "1"), answer(1, 2, shown("1", cancelled)))},
	{"3", "a shutdown that cancels does not send an end", lines(submit(0, 1, "1", ""), answer(0, 1, queued("1")), ask(0, 2, "shutdown", `{"mode":"cancel"}`),
		left(0, 2, 0), status(1, 1, "1"), answer(1, 1, shown("1", cancelled)))},
	{"reach", "input reaches a task that has ended", lines(reading(0, 1, "1"), heard(0, "1", ""), input(0, 2, "1", "0.1"), answer(0, 2, `{}`))},
	{"reach", "input reaches a task that takes none", lines(life(0, 1, "1", 1)[:3], input(0, 2, "1", "0.1"), answer(0, 2, `{}`), finished(0, "1", 5))},
	{"reach", "a type that takes input is said to take none", lines(reading(0, 1, "1"), input(0, 2, "1", "0.1"),
		refuse(0, 2, 1006, "tasks of this type take no input"), heard(0, "1", ""))},
	{"reach", "input that was refused is read", lines(reading(0, 1, "1"), input(0, 2, "1", "0.1"), refuse(0, 2, 1006, "the task has ended"), heard(0, "1", `"0.1"`))},
	{"reach", "input is read that nobody has sent", lines(reading(0, 1, "1"), heard(0, "1", `"0.1"`))},
	{"reach", "input is read twice", lines(reading(0, 1, "1"), input(0, 2, "1", "0.1"), answer(0, 2, `{}`), heard(0, "1", `"0.1","0.1"`))},
	{"reach", "input is read in another order", lines(reading(0, 1, "1"), input(0, 2, "1", "0.1"), input(0, 3, "1", "0.2"), answer(0, 2, `{}`), answer(0, 3, `{}`),
		heard(0, "1", `"0.2","0.1"`))},
	{"answers", "a status is not permitted", lines(life(0, 1, "1", 1), status(0, 2, "1"), refuse(0, 2, 1006, "no"))},
	{"answers", "a request is answered twice", lines(life(0, 1, "1", 1), status(0, 2, "1"), answer(0, 2, shown("1", completed)), answer(0, 2, shown("1", completed)))},
	{"answers", "an error without a cause", lines(life(0, 1, "1", 1), status(0, 2, "1"), refuse(0, 2, -32603, "internal error"))},
	{"answers", "a wait is cancelled that nobody has cancelled", lines(life(0, 1, "1", 1), wait(0, 2, "", "1"), refuse(0, 2, -32800, "cancelled"))},
	{"answers", "a wait ends before its tasks", lines(submit(0, 1, "1", ""), answer(0, 1, queued("1")), wait(0, 2, "", "1"), waited(0, 2, false, queued("1")), started(0, "1", 1), finished(0, "1", 5))},
	{"answers", "a wait without a time-out times out", lines(submit(0, 1, "1", ""), answer(0, 1, queued("1")), wait(0, 2, "", "1"), waited(0, 2, true, queued("1")), started(0, "1", 1), finished(0, "1", 5))},
	{"answers", "a wait answers with another task", lines(life(0, 1, "1", 1), life(0, 2, "2", 6), wait(0, 3, "", "1"), waited(0, 3, false, shown("2", completed)))},
	{"submits", "two tasks with one id", lines(life(0, 1, "1", 1), submit(0, 2, "1", ""), answer(0, 2, queued("1")))},
	{"submits", "another input with the same id", lines(life(0, 1, "1", 1), submit(0, 2, "1", `,"input":{"ms":3}`), answer(0, 2, shown("1", `"existing":true,`+completed)))},
	{"submits", "a conflict that is none", lines(life(0, 1, "1", 1), submit(0, 2, "1", ""), refuse(0, 2, 1003, "another task has this id"))},
	{"1", "an event before the reply", lines(swapped(1, 2, life(0, 1, "1", 1)))},
	{"1", "a task that was answered is not found", lines(life(0, 1, "1", 1), status(1, 1, "1"), refuse(1, 1, 1001, uuidOf("1")+": task not found"))},
	{"2", "no start before the end", lines(without(2, life(0, 1, "1", 1)))},
	{"2", "a start after the end", lines(swapped(2, 3, life(0, 1, "1", 1)))},
	{"2", "a seq that falls", lines(submit(0, 1, "1", ""), answer(0, 1, queued("1")), started(0, "1", 7), finished(0, "1", 5))},
	{"2", "progress after the end", lines(life(0, 1, "1", 1), tell(0, "task/progress", "1", 6, `,"progress":1`))},
	{"2", "progress that falls", lines(submit(0, 1, "1", ""), answer(0, 1, queued("1")), started(0, "1", 1), tell(0, "task/progress", "1", 2, `,"progress":3`), tell(0, "task/progress", "1", 3, `,"progress":2`), finished(0, "1", 7))},
	{"2", "two seqs of one end", lines(subscribed(1, 1, 1, 0, `{}`, ""), life(0, 1, "1", 1), started(1, "1", 1), finished(1, "1", 6))},
	{"2", "a start of a task that was cancelled in the queue", lines(submit(0, 1, "1", ""), ask(0, 2, "cancel", `{"id":"`+uuidOf("1")+`"}`), answer(0, 1, queued("1")),
		answer(0, 2, `{"outcome":"cancelled","task":`+shown("1", cancelled)+`}`), started(0, "1", 1), tell(0, "task/finished", "1", 5, ","+cancelled))},
	{"3", "no end", lines(life(0, 1, "1", 1)[:3])},
	{"3", "an end that is not told", lines(life(0, 1, "1", 1)[:3], status(0, 2, "1"), answer(0, 2, shown("1", completed)))},
	{"3", "an end that is told twice", lines(life(0, 1, "1", 1), finished(0, "1", 5))},
	{"3", "two ends", lines(life(0, 1, "1", 1), status(0, 2, "1"), answer(0, 2, shown("1", strings.ReplaceAll(completed, "completed", "failed"))))},
	{"3", "a resubmit that never hears of the end", lines(subscribed(0, 9, 1, 0, `{}`, ""), life(0, 1, "1", 1)[:3], submit(1, 1, "1", ""), answer(1, 1, shown("1", `"existing":true,"type":"quick","state":"running"`)), finished(0, "1", 5))},
	{"4", "a cancel does not find the task that was submitted before it", lines(submit(0, 1, "1", ""), ask(0, 2, "cancel", `{"id":"`+uuidOf("1")+`"}`), refuse(0, 2, 1001, uuidOf("1")+": task not found"), life(0, 1, "1", 1)[1:])},
	{"4", "the later of two submits makes the task", lines(submit(0, 1, "1", ""), submit(0, 2, "1", ""), answer(0, 1, shown("1", `"existing":true,"type":"quick","state":"queued"`)), answer(0, 2, queued("1")), life(0, 1, "1", 1)[2:])},
	{"4", "a later request shows an older state", lines(submit(0, 1, "1", ""), status(0, 2, "1"), status(0, 3, "1"), answer(0, 1, queued("1")), answer(0, 3, queued("1")), answer(0, 2, shown("1", completed)), life(0, 1, "1", 1)[2:])},
	{"5", "two run, and the limit is one", lines(submit(0, 1, "1", ""), submit(0, 2, "2", ""), answer(0, 1, queued("1")), answer(0, 2, queued("2")), started(0, "1", 1), started(0, "2", 2), finished(0, "1", 6), finished(0, "2", 10))},
	{"5", "stats shows two", lines(life(0, 1, "1", 1), ask(0, 2, "stats", `{}`), answer(0, 2, `{"tasks":{"running":2}}`))},
	{"5", "list shows two", lines(life(0, 1, "1", 1), life(0, 2, "2", 6), ask(0, 3, "list", `{}`), answer(0, 3, `{"tasks":[`+shown("2", `"state":"running"`)+`,`+shown("1", `"state":"running"`)+`]}`))},
	{"5", "the second of two starts first", lines(submit(0, 1, "1", ""), submit(0, 2, "2", ""), answer(0, 1, queued("1")), answer(0, 2, queued("2")), life(0, 2, "2", 1)[2:], life(0, 1, "1", 6)[2:])},
	{"5", "the lower priority starts first", lines(
		submit(0, 1, "1", ""), submit(0, 2, "2", ""), submit(0, 3, "3", `,"priority":5`), status(0, 4, "1"),
		answer(0, 1, queued("1")), answer(0, 2, queued("2")), answer(0, 3, queued("3")), started(0, "1", 1), answer(0, 4, shown("1", `"type":"quick","state":"running"`)), finished(0, "1", 5),
		life(0, 2, "2", 6)[2:], life(0, 3, "3", 11)[2:])},
	{"6", "a task fails that should complete", lines(life(0, 1, "1", 1)[:3], tell(0, "task/finished", "1", 5, `,"type":"quick","state":"failed","error":{"kind":"panic"}`+ran))},
	{"6", "a task is cancelled that nobody has cancelled", lines(submit(0, 1, "1", ""), answer(0, 1, queued("1")), tell(0, "task/finished", "1", 4, ","+cancelled))},
	{"6", "the result of another task", lines(life(0, 1, "1", 1)[:3], tell(0, "task/finished", "1", 5, ","+strings.ReplaceAll(completed, `"ms":0`, `"ms":1`)))},
	{"7", "output that is missing without a gap", lines(submit(0, 1, "1", `,"events":["output","finished"]`), answer(0, 1, queued("1")),
		tell(0, "task/output", "1", 2, `,"stream":"stdout","offset":16,"data":"stdout 00000001\n","encoding":"utf8"`), finished(0, "1", 6))},
	{"7", "output that the task has not written", lines(submit(0, 1, "1", `,"events":["output","finished"]`), answer(0, 1, queued("1")),
		tell(0, "task/output", "1", 2, `,"stream":"stdout","offset":0,"data":"stdout 00000001\n","encoding":"utf8"`), finished(0, "1", 6))},
	{"7", "a gap in output that is to be lossless", lines(submit(0, 1, "1", `,"output":"lossless"`), answer(0, 1, queued("1")), started(0, "1", 1),
		tell(0, "task/output", "1", 2, `,"stream":"stdout","offset":16,"gap":16,"data":"stdout 00000001\n","encoding":"utf8"`), finished(0, "1", 6))},
	{"7", "the last output is missing", lines(submit(0, 1, "1", `,"events":["output","finished"]`), answer(0, 1, queued("1")),
		tell(0, "task/finished", "1", 6, `,"outputBytes":{"stdout":16,"stderr":0,"log":0},`+completed))},
	{"8", "a wait is answered before the end is told", lines(submit(0, 1, "1", ""), answer(0, 1, queued("1")), started(0, "1", 1), wait(0, 2, "", "1"), waited(0, 2, false, shown("1", completed)), finished(0, "1", 5))},
	{"8", "a reply shows what was before", lines(life(0, 1, "1", 1), status(0, 2, "1"), answer(0, 2, queued("1")))},
	{"8", "another connection's reply shows what was before", lines(life(0, 1, "1", 1), status(1, 2, "1"), answer(1, 2, queued("1")))},
	{"9", "an event before the reply to subscribe", lines(ask(1, 1, "subscribe", `{}`), life(0, 1, "1", 1), started(1, "1", 1), answer(1, 1, `{"subscription":1,"seq":0}`), finished(1, "1", 5))},
	{"9", "an end that a subscription is not told of", lines(subscribed(1, 1, 1, 0, `{}`, ""), life(0, 1, "1", 1), started(1, "1", 1))},
	{"9", "a start that a subscription is not told of", lines(subscribed(1, 1, 1, 0, `{}`, ""), life(0, 1, "1", 1), finished(1, "1", 5))},
	{"9", "an end that is not replayed", lines(life(0, 1, "1", 1), subscribed(0, 2, 1, 5, `{"after":0}`, `,"gap":true`), replayed(0, 1, 5))},
	{"9", "a replay without its end", lines(life(0, 1, "1", 1), subscribed(0, 2, 1, 5, `{"after":0}`, `,"gap":true`), finished(0, "1", 5))},
	{"9", "a gap that is not told", lines(life(0, 1, "1", 1), subscribed(0, 2, 1, 5, `{"after":0}`, ""), finished(0, "1", 5), replayed(0, 1, 5))},
	{"9", "an event that nobody has asked for", lines(subscribed(1, 1, 1, 0, `{"types":["slow"]}`, ""), both(1, "1", 1))},
	{"9", "an event of a batch that is not answered", lines(batchThatWaits(0, "1"), started(0, "1", 1), finished(0, "1", 5), "0× cut")},
	{"9", "numbers that fall from task to task", lines(submit(0, 1, "1", ""), answer(0, 1, queued("1")), submit(0, 2, "2", ""), answer(0, 2, queued("2")), life(0, 2, "2", 6)[2:], life(0, 1, "1", 1)[2:])},
	{"lists", "a task on two pages", lines(life(0, 1, "1", 1), ask(0, 2, "list", `{"limit":1}`), answer(0, 2, `{"tasks":[`+shown("1", completed)+`],"nextCursor":"x"}`),
		ask(0, 3, "list", `{"limit":1,"cursor":"x"}`), answer(0, 3, `{"tasks":[`+shown("1", completed)+`]}`))},
	{"lists", "a task on no page", lines(life(0, 1, "1", 1), ask(0, 2, "list", `{}`), answer(0, 2, `{"tasks":[]}`))},
	{"lists", "a task that was not asked for", lines(life(0, 1, "1", 1), ask(0, 2, "list", `{"states":["failed"]}`), answer(0, 2, `{"tasks":[`+shown("1", completed)+`]}`))},
	{"lists", "a page out of order", lines(life(0, 1, "1", 1), life(0, 2, "2", 6), ask(0, 3, "list", `{}`), answer(0, 3, `{"tasks":[`+shown("1", completed)+`,`+shown("2", completed)+`]}`))},
}

func TestBrokenGuaranteesAreNamed(t *testing.T) {
	for _, b := range broken {
		t.Run(b.guarantee+" "+b.how, func(t *testing.T) {
			found := checked(t, b.transcript)
			var named []string
			for _, v := range found {
				named = append(named, v.Guarantee)
				require.NotEmpty(t, v.Excerpt)
			}
			require.Contains(t, named, b.guarantee, "%v", found)
		})
	}
}

// Where time is virtual a task that waits beside a free slot is found by the clock.
func TestBrokenPromptnessIsNamed(t *testing.T) {
	h := historyOf(t, lines(life(0, 1, "1", 1)))
	require.Empty(t, history.Check(h))
	h.Virtual = true // it was submitted a second before it started
	found := history.Check(h)
	require.Len(t, found, 1)
	require.Equal(t, "5", found[0].Guarantee)
}

func checked(t *testing.T, transcript string) []history.Violation {
	return history.Check(historyOf(t, transcript))
}

func historyOf(t *testing.T, transcript string) *history.History {
	entries, err := history.Parse(transcript)
	require.NoError(t, err)
	return &history.History{Limit: 1, Entries: entries}
}

func TestParseReadsWhatStringWrites(t *testing.T) {
	transcript := lines(life(12, 1, "1", 1), "12× cut")
	entries, err := history.Parse("# a comment\n\n" + transcript + "\n")
	require.NoError(t, err)
	var back []string
	for _, e := range entries {
		back = append(back, e.String())
	}
	require.Equal(t, transcript, strings.Join(back, "\n"))
	_, err = history.Parse("rubbish")
	require.ErrorContains(t, err, "line 1")
}
