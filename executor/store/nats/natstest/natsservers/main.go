// Command natsservers runs a command beside a cluster of NATS servers that sync each message, and
// ends them with it. In the command's arguments {} stands for nats://HOST,HOST,HOST.
//
//	go run ./executor/store/nats/natstest/natsservers 3 jobline bench --store={}/bench
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"github.com/jobline/jobline/executor/store/nats/natstest"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		var failed *exec.ExitError
		if errors.As(err, &failed) {
			os.Exit(failed.ExitCode())
		}
		fmt.Fprintln(os.Stderr, "natsservers:", err)
		os.Exit(1)
	}
}

func run(args []string) (err error) {
	if len(args) < 2 {
		return errors.New("want a number of servers and a command, as: natsservers 3 jobline bench --store={}/bench")
	}
	size, err := strconv.Atoi(args[0])
	if err != nil || size < 1 {
		return fmt.Errorf("%q is no number of servers", args[0])
	}
	folder, err := os.MkdirTemp("", "natsservers-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	all, err := natstest.Start(folder, size)
	if err != nil {
		return err
	}
	defer all.Stop()
	var hosts []string
	for _, u := range all.URLs() {
		hosts = append(hosts, strings.TrimPrefix(u, "nats://"))
	}
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "{}", "nats://"+strings.Join(hosts, ","))
	}
	c := exec.Command(args[1], args[2:]...)
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	return c.Run()
}
