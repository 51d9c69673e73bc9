package nats

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/schema"
)

// The place in the log decides between an end and the loss of its lease: an end that stands before the fence of its
// executor counts, and one that stands behind it changes nothing, though its executor did not know of the fence.
func TestOnlyTheEndBeforeTheFenceCounts(t *testing.T) {
	t.Parallel()
	for name, late := range map[string]bool{"the end is first": false, "the fence is first": true} {
		for rerun, fenced := range map[bool]schema.State{false: schema.Failed, true: schema.Queued} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				s := newStore(Options{})
				owner, other := uuid.New(), uuid.New()
				task := newTask()
				task.Rerun = rerun
				s.writes(t, 1, owner, 1, change{Hello: &hello{Name: "owner", Next: 1}}, change{Join: &join{Number: 1, Every: true}},
					change{Submit: []submission{submissionOf(&task)}}, change{Claim: 1})
				s.writes(t, 2, other, 1, change{Hello: &hello{Name: "other", Next: 2}})
				of := attempt{task.ID, 1}
				end := func(sequence uint64) {
					s.writes(t, sequence, owner, 2, change{Finish: &finish{attempt: of, State: schema.Completed, result: []byte(`{}`)}}, change{Release: &of})
				}
				fences := func(sequence uint64) { s.writes(t, sequence, other, 2, change{Fence: &fence{Peer: owner, Last: 1}}) }
				want := schema.Completed
				if late {
					want = fenced
					fences(3)
					end(4)
				} else {
					end(3)
					fences(4)
				}
				r, err := s.machine.tasks.Get(t.Context(), task.ID)
				require.NoError(t, err)
				require.Equal(t, want, r.State)
				if want == schema.Failed {
					require.Equal(t, schema.KindInterrupted, r.Error.Kind)
				}
				require.Equal(t, late, s.machine.peers[owner] == nil, "a process that has written since is not dead")
			})
		}
	}
}
