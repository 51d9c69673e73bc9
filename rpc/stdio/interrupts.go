package stdio

import (
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"
)

const (
	// OneWish is how long signals after one that was heeded are the same wish,
	// which has come twice: timeout(1) signals its child and then its child's
	// group, systemd sends SIGHUP right after SIGTERM.
	OneWish = 300 * time.Millisecond
	// driverMoment is how long a signal of the terminal is left to the driver.
	driverMoment = 2 * time.Second
)

// NotifyEnd asks for the signals that end a process, but for those that were
// ignored when it was started: by nohup, or by a shell for what runs in its
// background. Go lets only SIGINT and SIGHUP stay ignored.
func NotifyEnd(signals chan<- os.Signal) {
	heeded := slices.DeleteFunc(slices.Clone(endingSignals), signal.Ignored)
	if len(heeded) > 0 { // none would be all
		signal.Notify(signals, heeded...)
	}
}

// interrupts is what has become of the signals so far.
//
// A terminal sends Ctrl-C, and the news of its own end, to all processes of its
// foreground: to the driver and to the server that it has spawned. What is to
// become of the tasks is the driver's to say. So such a signal is held for
// driverMoment: until the driver's end or that of its requests, which let it
// act, or a shutdown, which settles it. A driver that still makes requests when
// the moment is over has dealt with the signal, and it is dropped.
type interrupts struct {
	conn     *pipes
	terminal interface{ sends(syscall.Signal) bool }

	last   time.Time      // when the last signal came that counted
	acted  syscall.Signal // that ends the server; 0 for none
	held   syscall.Signal // that is left to the driver; 0 for none
	moment <-chan time.Time
}

// verdict is what a signal means.
type verdict uint8

const (
	ignore verdict = iota
	hold           // leave it to the driver for a moment
	end            // end everything, in time for the host
	kill           // it comes again: end at once
)

// signalled judges a signal.
func (i *interrupts) signalled(s os.Signal) verdict {
	number, _ := s.(syscall.Signal)
	again := time.Since(i.last) < OneWish
	switch {
	case i.acted != 0 && again, i.held == number && again:
		return ignore
	case i.acted != 0:
		i.last = time.Now()
		i.acted = number
		return kill
	case i.answered() && i.terminal.sends(number):
		return ignore
	case i.held == 0 && i.conn.driven() && i.terminal.sends(number):
		i.last, i.held = time.Now(), number
		i.moment = time.After(driverMoment)
		return hold
	}
	return i.act(number)
}

// answered says that the driver was faster than this process, which got the
// signal at the same time: it has just asked for a shutdown and closed stdin.
func (i *interrupts) answered() bool {
	end := i.conn.end.Load()
	return i.held == 0 && end != nil && end.settled && time.Since(end.at) < OneWish
}

// act lets a signal end the server.
func (i *interrupts) act(number syscall.Signal) verdict {
	i.last, i.acted = time.Now(), number
	i.drop()
	return end
}

// momentOver judges the signal that was left to the driver.
func (i *interrupts) momentOver() verdict {
	// A quick driver was faster than this process, which got it at the same time.
	if i.conn.lastReceived().After(i.last.Add(-OneWish)) {
		i.drop()
		return ignore
	}
	return i.act(i.held)
}

// inputEnded judges it where the driver's requests end.
func (i *interrupts) inputEnded(end inputEnd) verdict {
	if end.settled { // the driver has said what is to become of the tasks
		i.drop()
	}
	return i.driverGone()
}

// driverGone judges it where the driver has ended.
func (i *interrupts) driverGone() verdict {
	if i.held == 0 {
		return ignore
	}
	return i.act(i.held)
}

// drop forgets a signal that was held.
func (i *interrupts) drop() { i.held, i.moment = 0, nil }
