// Command jobline is a job queue that any program embeds: it spawns
// `jobline serve` and speaks JSON-RPC 2.0 to it, one message per line.
package main

import "github.com/jobline/jobline/cmd"

func main() { cmd.Main() }
