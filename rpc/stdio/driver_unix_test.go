//go:build unix

package stdio

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// driverVariable says what a driver does when Ctrl-C comes.
const driverVariable = "JOBLINE_TEST_DRIVER"

// driver is a program in a terminal that spawns a server, as most do it, and
// tells on stdout what it hears of its task, and how the server has ended.
func driver(onInterrupt string) {
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, syscall.SIGINT, syscall.SIGHUP)
	cmd := exec.Command(os.Args[0])
	cmd.Env, cmd.Stderr = append(os.Environ(), modeVariable+"=main"), os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		panic(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		panic(err)
	}
	if err := cmd.Start(); err != nil {
		panic(err)
	}
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			for _, sign := range []string{"task/started", `"state":"completed"`, `"state":"cancelled"`} {
				if strings.Contains(lines.Text(), sign) {
					fmt.Println("driver:", sign)
				}
			}
		}
	}()
	say := func(text string) { _, _ = io.WriteString(in, text+"\n") } // a server that has ended reads nothing
	duration := 2 * driverTimeout
	if onInterrupt == "exits" || onInterrupt == "does nothing" {
		duration = time.Hour
	}
	say(fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"submit","params":{"type":"sleep","input":{"durationMs":%d}}}`, duration.Milliseconds()))
	<-interrupts
	switch onInterrupt {
	case "exits":
		os.Exit(0)
	case "asks for the end of what runs":
		say(`{"jsonrpc":"2.0","id":2,"method":"shutdown","params":{"mode":"finish"}}`)
		_ = in.Close()
	case "goes on":
		say(`{"jsonrpc":"2.0","id":2,"method":"stats"}`)
		time.Sleep(driverTimeout + SameSignal) // the signal is dropped meanwhile
		say(`{"jsonrpc":"2.0","id":3,"method":"shutdown"}`)
	case "does nothing":
	}
	<-heard
	_ = cmd.Wait() // its error is the code
	fmt.Println("driver: exit code", cmd.ProcessState.ExitCode())
}
