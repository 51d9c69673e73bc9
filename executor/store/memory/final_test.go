package memory

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/jobline/jobline/schema"
)

// kept is a final task in the simplest form.
type kept struct {
	task schema.Task
	seq  uint64
}

// Packed tasks are those of a list of them, wherever their texts are, whatever terms
// they have, and while the clock is set back now and then.
func TestFinalsAgreeWithAList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var f finals
		var model []kept
		all := []*terms{{typ: "a"}, {typ: "b"}, {typ: "c"}}
		machines := []*schema.RunsOn{nil, {Executor: "a"}, {Executor: "b"}, {Executor: "c"}}
		for number := range uint64(rapid.IntRange(0, 4*pageTasks).Draw(t, "tasks")) {
			terms := rapid.SampledFrom(all).Draw(t, "terms")
			k, x := drawFinal(t, terms, number)
			k.task.RanOn = rapid.SampledFrom(machines).Draw(t, "machine")
			packed := final{
				seq: k.seq, created: k.task.CreatedAt, started: k.task.StartedAt, finished: k.task.FinishedAt,
				attempt: k.task.Attempt, state: k.task.State, priority: k.task.Priority,
			}
			require.Equal(t, number, f.push(packed, terms, k.task.RanOn, rest{input: textOf(k.task.Input), result: textOf(k.task.Result), extra: x}))
			model = append(model, k)
			for range rapid.SampledFrom([]int{0, 0, 0, 1, 2, pageTasks}).Draw(t, "forget") {
				if len(model) > 0 {
					f.pop()
					model = model[1:]
				}
			}
			require.Equal(t, len(model), f.len())
		}
		checkFinals(t, &f, model)
	})
}

func drawFinal(t *rapid.T, terms *terms, number uint64) (kept, *extra) {
	text := func(name string) []byte {
		size := rapid.SampledFrom([]int{0, 2, 2, 2, 300, packedBytes, 2 * packedBytes}).Draw(t, name)
		return bytes.Repeat([]byte{byte(number)}, size)
	}
	k := kept{seq: 10 * (number + 1), task: schema.Task{
		Type: terms.typ, State: schema.Completed, Priority: int8(number), Attempt: 1, CreatedAt: 1, StartedAt: 2,
		FinishedAt: schema.Time(rapid.IntRange(3, 1000).Draw(t, "finished")),
	}}
	if input := text("input"); len(input) > 0 {
		k.task.Input = input
	}
	if result := text("result"); len(result) > 0 {
		k.task.Result = result
	}
	if number%7 == 3 {
		k.task.CancelReason = "why"
		return k, &extra{cancelReason: "why"}
	}
	return k, nil
}

func checkFinals(t *rapid.T, f *finals, model []kept) {
	for i, k := range model {
		number := f.first + uint64(i)
		require.Equal(t, k.task, f.task(number))
		require.EqualValues(t, len(k.task.Input)+len(k.task.Result), f.size(number))
		require.Equal(t, number, f.after(k.seq-1))
	}
	if len(model) > 0 {
		ended := model[0].task.FinishedAt
		for _, k := range model {
			ended = min(ended, k.task.FinishedAt)
		}
		require.Equal(t, ended, f.oldestEnd())
		require.Equal(t, f.next, f.after(model[len(model)-1].seq))
	}
}
