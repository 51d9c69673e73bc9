package builtin

import (
	"context"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// sampleProgressMs is how often the samples report.
const sampleProgressMs = 100

// SampleInput is the input of the samples.
type SampleInput struct {
	DurationMs int64 `json:"durationMs,omitzero" jsonschema:"how long the work takes, in milliseconds" schema:"minimum=0,maximum=604800000"`
}

// BubbleBath is the result of bubbleBathOptimization.
type BubbleBath struct {
	BubblesPerLitre int64 `json:"bubblesPerLitre"`
}

func bubbleBath() (executor.Type, error) {
	return executor.Define("bubbleBathOptimization", func(ctx context.Context, in SampleInput) (BubbleBath, error) {
		err := pass(ctx, in.DurationMs, sampleProgressMs, "counting bubbles")
		return BubbleBath{BubblesPerLitre: 1000 + in.DurationMs}, err
	}, source, executor.Idempotent(), executor.Alias("bbo", "bubble"), executor.Describe("A sample: finds the best number of bubbles."))
}

// Patrol is the result of squirrelPatrol.
type Patrol struct {
	SquirrelsSeen int64 `json:"squirrelsSeen"`
}

func squirrelPatrol() (executor.Type, error) {
	return executor.Define("squirrelPatrol", func(ctx context.Context, in SampleInput) (Patrol, error) {
		err := pass(ctx, in.DurationMs, sampleProgressMs, "watching the trees")
		return Patrol{SquirrelsSeen: in.DurationMs / 100}, err
	}, source, executor.Idempotent(), executor.Alias("sp", "squirrel"), executor.Describe("A sample: looks out for squirrels."))
}

// unicornSteps are what unicornWrangling does, one after the other.
var unicornSteps = []string{"find", "approach", "befriend", "lead home"}

// Wrangling is the result of unicornWrangling.
type Wrangling struct {
	Steps []string `json:"steps"`
}

func unicornWrangling() (executor.Type, error) {
	return executor.Define("unicornWrangling", func(ctx context.Context, in SampleInput) (Wrangling, error) {
		var done Wrangling
		for _, step := range unicornSteps {
			if err := wrangle(ctx, in.DurationMs, len(done.Steps), step); err != nil {
				return done, err
			}
			done.Steps = append(done.Steps, step)
		}
		all := float64(len(unicornSteps))
		executor.Report(ctx, schema.Progress{Value: all, Total: all, Unit: "steps"})
		return done, nil
	}, source, executor.Idempotent(), executor.Alias("uw", "unicorn"), executor.Describe("A sample: a sequence of steps."))
}

// wrangle takes the task's time for one step and reports the steps that are done.
func wrangle(ctx context.Context, durationMs int64, done int, step string) error {
	executor.Report(ctx, schema.Progress{
		Value: float64(done), Total: float64(len(unicornSteps)), Unit: "steps", Message: step,
	})
	share := durationMs / int64(len(unicornSteps))
	if done == len(unicornSteps)-1 { // the last step takes what is left
		share = durationMs - share*int64(done)
	}
	return pass(ctx, share, 0, "")
}
