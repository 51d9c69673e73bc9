package cmd

import "context"

// watchWindow does nothing: commands have no terminals here.
func watchWindow(context.Context, func()) {}
