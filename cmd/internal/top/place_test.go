package top

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/schema"
)

func TestWhatHoldsATaskUp(t *testing.T) {
	gpu := map[string]string{"gpu": "a100", "os": "linux"}
	plain := schema.Task{Type: "exec"}
	placed := schema.Task{Type: "exec", Conditions: &schema.Conditions{On: gpu}}
	one, two := schema.ExecutorInfo{Name: "m1", Limit: 2, Labels: gpu}, schema.ExecutorInfo{Name: "m2", Limit: 2, Labels: gpu}
	with := func(i schema.ExecutorInfo, change func(*schema.ExecutorInfo)) schema.ExecutorInfo {
		change(&i)
		return i
	}
	drains, full := func(i *schema.ExecutorInfo) { i.Draining = true }, func(i *schema.ExecutorInfo) { i.Running = 2 }
	other := schema.ExecutorInfo{Name: "m3", Limit: 1, Types: []string{"noop"}}
	for _, test := range []struct {
		runners runners
		task    schema.Task
		want    string
	}{
		{nil, placed, ""},
		{runners{}, plain, "no executor has its type"},
		{runners{}, placed, "no executor has gpu=a100,os=linux"},
		{runners{other}, placed, "no executor has gpu=a100,os=linux"},
		{runners{other}, plain, "no executor has its type"},
		{runners{one, other}, placed, ""},
		{runners{with(one, drains)}, placed, "m1 is draining"},
		{runners{with(one, drains)}, plain, "m1 is draining"},
		{runners{with(one, drains), with(two, drains)}, placed, "2 executors are draining"},
		{runners{with(one, drains), two}, placed, ""},
		{runners{with(one, drains), with(two, full)}, placed, "m2 is full"},
		{runners{with(one, full), with(two, full)}, placed, "2 executors are full"},
		{runners{with(one, full)}, plain, ""},
		{runners{}, schema.Task{Type: "exec", State: schema.Running}, ""},
	} {
		require.Equal(t, test.want, test.runners.holdUp(&test.task), "%+v", test)
	}
}
