package cmd

import (
	"context"
	"fmt"
	"os"

	"github.com/jobline/jobline/rpc/client"
)

// noteFault tells a person that what was shown may be old, because the server cannot reach its store.
func (d *driver) noteFault(ctx context.Context, c *client.Client) {
	stats, err := c.Stats(ctx)
	if err == nil && stats.Store.Fault != "" {
		fmt.Fprintf(safe(os.Stderr), "%s: this may be old: %s\n", d.program.Name, stats.Store.Fault)
	}
}
