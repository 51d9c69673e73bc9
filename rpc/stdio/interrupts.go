package stdio

import (
	"context"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"
)

const (
	// SameSignal is how long a further signal counts as the one before it: timeout(1)
	// signals its child and then its child's group, systemd sends SIGHUP right
	// after SIGTERM.
	SameSignal = 300 * time.Millisecond
	// driverTimeout is how long a signal of the terminal is left to the driver, the
	// program that sends requests.
	driverTimeout = 2 * time.Second
)

// NotifyEnd relays the signals that end a process: SIGINT, SIGTERM and SIGHUP, on
// Windows Ctrl-C. It leaves out those that were ignored when the process was
// started, by nohup or by a shell that started it in the background. (Go keeps only
// SIGINT and SIGHUP ignored.)
func NotifyEnd(signals chan<- os.Signal) {
	if wanted := notIgnored(); len(wanted) > 0 { // none would be all
		signal.Notify(signals, wanted...)
	}
}

// NotifyContext answers a context that ends when a signal of NotifyEnd comes, or
// when stop is called.
func NotifyContext(ctx context.Context) (ending context.Context, stop context.CancelFunc) {
	if wanted := notIgnored(); len(wanted) > 0 {
		return signal.NotifyContext(ctx, wanted...)
	}
	return context.WithCancel(ctx)
}

// notIgnored are the ending signals that were not ignored at the start.
func notIgnored() []os.Signal {
	return slices.DeleteFunc(slices.Clone(endingSignals), signal.Ignored)
}

// interrupts decides what signals mean.
//
// A terminal sends Ctrl-C, and the SIGHUP of its end, to all processes of its
// foreground: to the driver and to the server that the driver has spawned. The
// driver decides what becomes of the tasks. So the server holds such a signal for
// driverTimeout. If the driver or its requests end in that time, the signal ends
// the server. If the driver sends a shutdown, that decides. If the driver still
// sends requests when the time is over, the signal is dropped.
type interrupts struct {
	conn     *pipes
	terminal interface{ sends(syscall.Signal) bool }

	last    time.Time      // when the last signal came that was not the same one again
	acted   syscall.Signal // the signal that ends the server, or 0
	held    syscall.Signal // the signal that is left to the driver, or 0
	timeout <-chan time.Time
}

// verdict is what a signal means.
type verdict uint8

const (
	ignore verdict = iota
	hold           // leave it to the driver for driverTimeout
	end            // end the server within signalTimeout
	kill           // a second signal: end at once
)

// signalled judges a signal.
func (i *interrupts) signalled(s os.Signal) verdict {
	number, _ := s.(syscall.Signal)
	again := time.Since(i.last) < SameSignal
	switch {
	case i.acted != 0 && again, i.held == number && again:
		return ignore
	case i.acted != 0:
		i.last = time.Now()
		i.acted = number
		return kill
	case i.answered() && i.terminal.sends(number):
		return ignore
	case i.held == 0 && i.conn.hasDriver() && i.terminal.sends(number):
		i.last, i.held = time.Now(), number
		i.timeout = time.After(driverTimeout)
		return hold
	}
	return i.act(number)
}

// answered reports whether the driver, which got the signal at the same time, has
// answered it before this process looked: it has just asked for a shutdown and
// closed stdin.
func (i *interrupts) answered() bool {
	end := i.conn.end.Load()
	return i.held == 0 && end != nil && end.settled && time.Since(end.at) < SameSignal
}

// act lets a signal end the server.
func (i *interrupts) act(number syscall.Signal) verdict {
	i.last, i.acted = time.Now(), number
	i.drop()
	return end
}

// driverTimedOut judges the held signal when driverTimeout is over.
func (i *interrupts) driverTimedOut() verdict {
	// A quick driver was faster than this process, which got it at the same time.
	if i.conn.lastReceived().After(i.last.Add(-SameSignal)) {
		i.drop()
		return ignore
	}
	return i.act(i.held)
}

// inputEnded judges the held signal when the driver's requests end.
func (i *interrupts) inputEnded(end inputEnd) verdict {
	if end.settled { // the driver has said what is to become of the tasks
		i.drop()
	}
	return i.driverGone()
}

// driverGone judges the held signal when the driver has ended.
func (i *interrupts) driverGone() verdict {
	if i.held == 0 {
		return ignore
	}
	return i.act(i.held)
}

// drop forgets the held signal.
func (i *interrupts) drop() { i.held, i.timeout = 0, nil }
