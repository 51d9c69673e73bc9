package cmd_test

import (
	"context"
	"iter"
	"math/rand/v2"
	"os/exec"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/schema"
)

// step is a step of a build: a source, an object that is made of sources, or a program that
// is made of objects.
type step struct {
	id    uuid.UUID
	after []int // steps before it

	priority int
}

// buildGraph is a build as ninja has it: each step comes after some before it, most of which
// are near.
func buildGraph(t *testing.T, steps int, r *rand.Rand) []step {
	const near, most = 200, 6
	graph := make([]step, steps)
	for i := range graph {
		id, err := uuid.NewV7()
		require.NoError(t, err)
		graph[i].id, graph[i].priority = id, r.IntN(201)-100
		known := map[int]bool{}
		for range r.IntN(most + 1) {
			if from := max(0, i-near); i > 0 {
				known[from+r.IntN(i-from)] = true
			}
		}
		for before := range known {
			graph[i].after = append(graph[i].after, before)
		}
	}
	return graph
}

// TestABuildRunsInTheOrderOfItsGraph submits a graph of 5,000 steps in one burst, with priorities at odds
// with it, and holds the times of all starts and ends against it.
func TestABuildRunsInTheOrderOfItsGraph(t *testing.T) {
	for name, args := range map[string][]string{"memory": nil, "durable": {"--store", t.TempDir() + "/tasks.db"}} {
		t.Run(name, func(t *testing.T) {
			const steps = 5000
			graph := buildGraph(t, steps, rand.New(rand.NewPCG(10, steps)))
			server := exec.Command("jobline", append([]string{"serve", "--ignore-env", "--log-level=warn", "--keep=10000"}, args...)...)
			c, err := client.Spawn(t.Context(), server)
			require.NoError(t, err)
			submits := func(context.Context) iter.Seq[schema.SubmitParams] {
				return func(yield func(schema.SubmitParams) bool) {
					for i := range graph {
						p := schema.SubmitParams{ID: graph[i].id, Type: "noop", Priority: &graph[i].priority, Events: []string{}}
						for _, before := range graph[i].after {
							p.After = append(p.After, schema.Dependency{ID: graph[before].id})
						}
						if !yield(p) {
							return
						}
					}
				}
			}
			require.NoError(t, c.Pause(t.Context(), schema.PauseParams{})) // so that the priorities, which are at odds with the graph, have all to choose from
			require.NoError(t, c.SubmitAll(t.Context(), steps, submits, func(a client.SubmitAnswer) error { return a.Err }))
			require.NoError(t, c.Resume(t.Context(), schema.PauseParams{}))
			ended := map[uuid.UUID]schema.Task{}
			for begin := 0; begin < steps; begin += 1000 {
				var ids []uuid.UUID
				for _, s := range graph[begin : begin+1000] {
					ids = append(ids, s.id)
				}
				all, err := c.Wait(t.Context(), schema.WaitParams{IDs: ids})
				require.NoError(t, err)
				for _, task := range all.Tasks {
					ended[task.ID] = task
				}
			}
			edges := 0
			for i := range graph {
				task := ended[graph[i].id]
				require.Equal(t, schema.Completed, task.State, "step %d", i)
				for _, before := range graph[i].after {
					edges++
					require.LessOrEqual(t, ended[graph[before].id].FinishedAt, task.StartedAt, "step %d comes after step %d", i, before)
				}
			}
			require.Greater(t, edges, 2*steps)
			require.NoError(t, c.Close())
		})
	}
}
