package history_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/rpc/rpctest/history"
)

// two is the submits of two tasks, each with its conditions, and the lives of both, which begin in
// the order of the given names.
func two(first, second, order string) string {
	all := []any{submit(0, 1, "1", first), answer(0, 1, queued("1")), submit(0, 2, "2", second), answer(0, 2, queued("2"))}
	for i, task := range strings.Split(order, "") {
		all = append(all, life(0, 0, task, 1+5*i)[2:])
	}
	return lines(all...)
}

// beside is as two, with two slots, and both tasks run at once.
func beside(conditions string) *history.History {
	h := &history.History{Limit: 2}
	h.Entries, _ = history.Parse(lines(submit(0, 1, "1", conditions), answer(0, 1, queued("1")), submit(0, 2, "2", conditions), answer(0, 2, queued("2")),
		started(0, "1", 1), started(0, "2", 2), finished(0, "1", 6), finished(0, "2", 10)))
	return h
}

func after(task, on string) string { return `,"after":["` + uuidOf(task) + on + `"]` }

func TestSoundConditionsPass(t *testing.T) {
	for name, transcript := range map[string]string{
		"a time":              two(`,"delayMs":1000`, "", "21"),
		"a dependency":        two("", after("1", ""), "12"),
		"two of a key":        two(`,"key":"red"`, `,"key":"red"`, "12"),
		"two of a group":      two(`,"group":"one"`, `,"group":"one"`, "21"),
		"another key goes on": two(`,"key":"red"`, `,"key":"green"`, "21"),
	} {
		t.Run(name, func(t *testing.T) { require.Empty(t, checked(t, transcript)) })
	}
	require.Empty(t, history.Check(beside(`,"group":"two"`)))
}

func TestBrokenConditionsAreNamed(t *testing.T) {
	failed := func(cause string) string {
		return `,"type":"quick","state":"failed","error":{"kind":"dependency","cause":"` + uuidOf(cause) + `"},"finishedAt":"2026-01-01T00:00:02.000000Z"`
	}
	for how, h := range map[string]*history.History{
		"a task starts before its time":             historyOf(t, two(`,"delayMs":1001`, "", "12")),
		"a task starts before one that it is after": historyOf(t, two("", after("1", ""), "21")),
		"a task starts after one that ended otherwise": historyOf(t,
			two("", after("1", ":failure"), "12")),
		"a task fails by one that ended as it was to": historyOf(t, lines(life(0, 1, "1", 1), submit(0, 2, "2", after("1", "")), answer(0, 2, queued("2")),
			tell(0, "task/finished", "2", 6, failed("1")))),
		"two of a key run at once":     beside(`,"key":"red"`),
		"two of a group of one run":    beside(`,"group":"one"`),
		"the second of a key is first": historyOf(t, two(`,"key":"red"`, `,"key":"red"`, "21")),
	} {
		t.Run(how, func(t *testing.T) {
			require.Contains(t, named(h), "conditions")
		})
	}
}

// A part of a task that was cancelled starts after that.
func TestACancelThatMissesAPartIsNamed(t *testing.T) {
	const parent = `"type":"quick","state":"cancelled","error":{"kind":"cancelled"},"cancelRequestedAt":"2026-01-01T00:00:00.500000Z","finishedAt":"2026-01-01T00:00:00.500000Z"`
	h := historyOf(t, lines(submit(0, 1, "1", ""), answer(0, 1, queued("1")),
		submit(0, 2, "2", `,"delayMs":1000,"parent":"`+uuidOf("1")+`"`), answer(0, 2, queued("2")),
		ask(0, 3, "cancel", `{"id":"`+uuidOf("1")+`"}`), answer(0, 3, `{"outcome":"cancelled","task":`+shown("1", parent)+`}`),
		tell(0, "task/finished", "1", 1, ","+parent+`,"createdAt":"2026-01-01T00:00:00.500000Z"`), life(0, 0, "2", 2)[2:]))
	require.Empty(t, history.Check(h))
	h.Virtual = true
	require.Contains(t, named(h), "conditions")
}

// named are the guarantees that a history breaks.
func named(h *history.History) (all []string) {
	for _, v := range history.Check(h) {
		all = append(all, v.Guarantee)
	}
	return all
}
