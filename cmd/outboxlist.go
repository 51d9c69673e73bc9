package cmd

import (
	"context"
	"fmt"
	"os"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/jobline/jobline/cmd/internal/show"
	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/schema"
)

// pageOfOutbox is how many submits of an outbox are asked for at once.
const pageOfOutbox = 1000

func (p *Program) outboxCommand() *cobra.Command {
	d := p.readingDriver()
	c := &cobra.Command{
		Use:   "outbox",
		Short: "List the submits that wait on this machine",
		Long: "Outbox shows the submits that wait in the file of --outbox, because the queue of many machines could not be reached,\n" +
			"in the order in which they are sent, and those that the queue has refused, with the reason. " + p.Name + " cancel drops one.",
		Example: p.driverExamples("outbox", "outbox --json | jq -r .id", "outbox resend"),
		Args:    knownCommand,
		RunE: func(c *cobra.Command, _ []string) error {
			return d.with(c, func(ctx context.Context, c *client.Client) error { return d.printOutbox(ctx, c) })
		},
	}
	d.flags(c)
	c.AddCommand(p.resendCommand())
	return c
}

func (d *driver) printOutbox(ctx context.Context, c *client.Client) error {
	t := &table{columns: []tableColumn{{title: "ID"}, {title: "TYPE", least: 8}, {title: "SUBMITTED", drop: 1}, {title: "STATE"}, {title: "WHY", least: 20}}}
	for p := (schema.OutboxParams{Limit: pageOfOutbox}); ; {
		page, err := c.Outbox(ctx, p)
		switch {
		case err != nil:
			return err
		case page.File == "":
			return fmt.Errorf("this server has no outbox; give --outbox FILE with --store, or set %s", envName("outbox"))
		}
		for i := range page.Entries {
			e := &page.Entries[i]
			if d.json {
				if err := printJSONLine(os.Stdout, e); err != nil {
					return err
				}
				continue
			}
			state, style := "waits", plain
			switch {
			case e.Damaged:
				state, style = "damaged", red
			case e.Refused != "":
				state, style = "refused", red
			case e.Sending:
				state = "sent?"
			}
			t.add(tableCell{text: e.ID.String()}, tableCell{text: e.Type}, tableCell{text: show.Moment(e.CreatedAt)}, tableCell{state, style}, tableCell{text: e.Refused})
		}
		if p.Cursor = page.NextCursor; p.Cursor == "" {
			break
		}
	}
	switch {
	case d.json:
		return nil
	case len(t.rows) == 0:
		d.tell("nothing waits in the outbox")
		return nil
	}
	return t.print(os.Stdout, terminalOf(os.Stdout))
}

func (p *Program) resendCommand() *cobra.Command {
	d := p.readingDriver()
	c := &cobra.Command{
		Use:   "resend [ID...]",
		Short: "Send submits again that were refused",
		Long: "Resend sends submits again that the queue of many machines has refused, each in its old place among those that wait.\n" +
			"Without an ID it sends all of them.",
		Example:           p.driverExamples("outbox resend", "outbox resend 018f0000-0000-7000-8000-000000000001"),
		ValidArgsFunction: d.completeRefused,
		RunE: func(c *cobra.Command, args []string) error {
			var params schema.ResendParams
			for _, arg := range args {
				id, err := uuid.Parse(arg)
				if err != nil {
					return usagef("%s%q is no id; %s outbox shows them whole", commandPrefix(c), arg, p.Name)
				}
				params.IDs = append(params.IDs, id)
			}
			return d.with(c, func(ctx context.Context, c *client.Client) error {
				r, err := c.Resend(ctx, params)
				switch {
				case err != nil:
					return err
				case d.json:
					return printJSONLine(os.Stdout, &r)
				}
				_, err = fmt.Printf("%s sent again\n", counted(r.Resent, "submit"))
				return err
			})
		},
	}
	d.flags(c)
	return c
}

// completeRefused completes the ids of what was refused.
func (d *driver) completeRefused(_ *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
	var page schema.OutboxResult
	ctx, stop := context.WithTimeout(context.Background(), completionTime)
	defer stop()
	d.ask(ctx, func(c *client.Client) { page, _ = c.Outbox(ctx, schema.OutboxParams{Limit: pageOfOutbox}) }) // what cannot be asked is not completed
	var found []string
	for i := range page.Entries {
		if e := &page.Entries[i]; e.Refused != "" {
			found = append(found, e.ID.String()+"\t"+show.Line(e.Refused))
		}
	}
	return startingWith(found, word), cobra.ShellCompDirectiveNoFileComp
}

// outboxOf is the file of the outbox in which a submitted task waits, or "".
func outboxOf(t *schema.Task) string {
	for i := range t.WaitingFor {
		if w := &t.WaitingFor[i]; w.Kind == schema.WaitsForOutbox {
			return w.Name
		}
	}
	return ""
}
