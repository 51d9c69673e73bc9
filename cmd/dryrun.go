package cmd

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/schema"
)

// dryRunOne says what would become of the task, which is not submitted.
func (o *submitOptions) dryRunOne(ctx context.Context, c *client.Client, params schema.SubmitParams) error {
	params.DryRun = true
	would, err := c.Submit(ctx, params)
	if err != nil {
		return o.refused(newBoard(o.driver.program.Name).say, uuid.Nil, &o.target, err)
	}
	if o.json {
		return printJSONLine(os.Stdout, &would)
	}
	if _, err = fmt.Fprintln(safe(os.Stdout), o.wouldText(&would)); err != nil {
		return err
	}
	for _, id := range wouldReplace(&params, &would) {
		if _, err = fmt.Fprintf(safe(os.Stdout), "it would cancel %s, which has the same dedupe name\n", id); err != nil {
			return err
		}
	}
	return nil
}

// wouldReplace are the tasks that the submit would cancel to take their place. It would come after
// them, though it does not name them.
func wouldReplace(asked *schema.SubmitParams, would *schema.SubmitResult) (ids []uuid.UUID) {
	if asked.Dedupe == nil || asked.Dedupe.On != schema.DedupeReplace || would.Conditions == nil {
		return nil
	}
	for _, d := range would.Conditions.After {
		if !slices.ContainsFunc(asked.After, func(named schema.Dependency) bool { return named.ID == d.ID }) {
			ids = append(ids, d.ID)
		}
	}
	return ids
}

// wouldText says in words what a submit would do.
func (o *submitOptions) wouldText(would *schema.SubmitResult) string {
	switch {
	case would.Existing:
		return fmt.Sprintf("it is there already: %s, which is %s", would.ID, would.State)
	case would.Error != nil:
		return "it would fail at once: " + would.Error.Message
	}
	if w := would.WaitingFor; len(w) == 1 && w[0].Kind == schema.WaitsForSlot && w[0].Count == 0 {
		return "it would begin at once"
	}
	var waits []string
	for i := range would.WaitingFor {
		waits = append(waits, o.waitText(&would.WaitingFor[i]))
	}
	return "it would wait: " + strings.Join(waits, "; ")
}
