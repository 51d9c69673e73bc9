package stdio

import (
	"io"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// One wish to end that arrives twice is one; a second wish counts.
func TestOneWish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &interrupts{conn: newPipes(descriptor{}, descriptor{}), terminal: noTerminal{}}
		require.Equal(t, end, i.signalled(syscall.SIGTERM))
		for range 3 {
			time.Sleep(SameSignal / 4)
			require.Equal(t, ignore, i.signalled(syscall.SIGTERM), "timeout(1) signals the child, and its group")
		}
		require.Equal(t, ignore, i.signalled(syscall.SIGHUP), "systemd sends it after SIGTERM")
		require.Equal(t, syscall.SIGTERM, i.acted)
		time.Sleep(SameSignal)
		require.Equal(t, kill, i.signalled(syscall.SIGINT))
		require.Equal(t, syscall.SIGINT, i.acted)
		require.Equal(t, ignore, i.signalled(syscall.SIGINT))
		time.Sleep(SameSignal)
		require.Equal(t, kill, i.signalled(syscall.SIGINT))
	})
}

type noTerminal struct{}

func (noTerminal) sends(syscall.Signal) bool { return false }

// ctrlC is a terminal that sends SIGINT.
type ctrlC struct{}

func (ctrlC) sends(s syscall.Signal) bool { return s == syscall.SIGINT }

// driverBy is what has become of signals where another program makes requests.
func driverBy(settled bool) *interrupts {
	conn := newPipes(descriptor{isPipe: true}, descriptor{})
	conn.atEnd = func() bool { return settled }
	return &interrupts{conn: conn, terminal: ctrlC{}}
}

// requests is a descriptor from which bytes or an error come.
type requests struct {
	n   int
	err error
}

func (r requests) Read([]byte) (int, error)    { return r.n, r.err }
func (r requests) Write(b []byte) (int, error) { return len(b), nil }
func (r requests) Close() error                { return nil }

// read lets a request come, or the end of them.
func (i *interrupts) read(err error) {
	n := 1
	if err != nil {
		n = 0
	}
	i.conn.in.ReadWriteCloser = requests{n, err}
	_, _ = i.conn.Read(make([]byte, 1))
}

// A signal of the terminal is left to the driver for a moment.
func TestSignalIsLeftToTheDriver(t *testing.T) {
	for name, see := range map[string]func(*testing.T){
		"silence": func(t *testing.T) {
			i := driverBy(false)
			i.read(nil)
			time.Sleep(2 * SameSignal)
			require.Equal(t, hold, i.signalled(syscall.SIGINT))
			require.Equal(t, ignore, i.signalled(syscall.SIGINT), "the same wish")
			<-i.timeout
			require.Equal(t, end, i.driverTimedOut())
			require.Equal(t, syscall.SIGINT, i.acted)
		},
		"requests after it": func(t *testing.T) {
			i := driverBy(false)
			require.Equal(t, hold, i.signalled(syscall.SIGINT))
			time.Sleep(time.Second)
			i.read(nil)
			<-i.timeout
			require.Equal(t, ignore, i.driverTimedOut())
			require.Zero(t, i.acted)
			require.Equal(t, hold, i.signalled(syscall.SIGINT), "the next one begins anew")
		},
		"a request that was faster": func(t *testing.T) {
			i := driverBy(false)
			i.read(nil)
			time.Sleep(SameSignal / 2)
			require.Equal(t, hold, i.signalled(syscall.SIGINT))
			<-i.timeout
			require.Equal(t, ignore, i.driverTimedOut())
		},
		"the end of requests": func(t *testing.T) {
			i := driverBy(false)
			require.Equal(t, hold, i.signalled(syscall.SIGINT))
			i.read(io.EOF)
			require.Equal(t, end, i.inputEnded(<-i.conn.ended))
		},
		"a shutdown, and the end of requests": func(t *testing.T) {
			i := driverBy(true)
			require.Equal(t, hold, i.signalled(syscall.SIGINT))
			i.read(io.EOF)
			require.Equal(t, ignore, i.inputEnded(<-i.conn.ended))
			require.Nil(t, i.timeout)
		},
		"a shutdown that was faster": func(t *testing.T) {
			i := driverBy(true)
			i.read(io.EOF)
			require.Equal(t, ignore, i.inputEnded(<-i.conn.ended))
			require.Equal(t, ignore, i.signalled(syscall.SIGINT))
			time.Sleep(SameSignal)
			require.Equal(t, end, i.signalled(syscall.SIGINT), "it is for the server")
		},
		"the end of requests that was faster": func(t *testing.T) {
			i := driverBy(false)
			i.read(io.EOF)
			require.Equal(t, ignore, i.inputEnded(<-i.conn.ended))
			require.Equal(t, end, i.signalled(syscall.SIGINT))
		},
		"the end of the driver": func(t *testing.T) {
			i := driverBy(false)
			require.Equal(t, ignore, i.driverGone())
			require.Equal(t, hold, i.signalled(syscall.SIGINT))
			require.Equal(t, end, i.driverGone())
		},
		"another signal": func(t *testing.T) {
			i := driverBy(false)
			require.Equal(t, hold, i.signalled(syscall.SIGINT))
			require.Equal(t, end, i.signalled(syscall.SIGTERM), "the driver's word, at once")
		},
		"the same again": func(t *testing.T) {
			i := driverBy(false)
			require.Equal(t, hold, i.signalled(syscall.SIGINT))
			time.Sleep(SameSignal)
			require.Equal(t, end, i.signalled(syscall.SIGINT))
		},
		"not of the terminal": func(t *testing.T) {
			require.Equal(t, end, driverBy(false).signalled(syscall.SIGTERM))
		},
		"no driver": func(t *testing.T) {
			i := driverBy(false)
			i.conn.in.isPipe = false
			require.Equal(t, end, i.signalled(syscall.SIGINT))
		},
	} {
		t.Run(name, func(t *testing.T) { synctest.Test(t, see) })
	}
}
