//go:build unix

package exec

import (
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

const hasTerminals = true

// ownSession are the attributes of a process that leads a session of its own. With
// pty its descriptor 0 becomes the terminal of that.
func ownSession(pty bool) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setsid: true, Setctty: pty}
}

// terminal is the terminal that a command runs in.
type terminal struct {
	keyboard *os.File // the master, for input and the size
	// slave is the command's end. It stays open until the command has ended: while
	// nobody has it open, reads of the master answer EIO, which here means the end.
	slave   *os.File
	freed   sync.Once
	lineEnd bool // the input is at the beginning of a line; only the feeder uses it
}

// openPTY makes the terminal of a command, as openStreams makes its pipes. All that
// the command writes to it goes to stdout.
func openPTY(stdin stdinSource, stdout io.Writer, rows, columns uint16) (*streams, error) {
	master, slave, err := pty.Open()
	if err != nil {
		return nil, fmt.Errorf("make a terminal: %w", err)
	}
	defer master.Close() // the package has left it in blocking mode
	s := &streams{
		text: stdin.text, more: stdin.more, finished: make(chan struct{}), tail: &tail{to: stdout},
		terminal: &terminal{slave: slave, lineEnd: true}, kept: slave,
	}
	s.child = [3]*os.File{slave, slave, slave}
	s.out = []pipe{{to: s.tail}}
	s.pending.Store(2) // the input, and the output
	if err := s.openMaster(master, orDefault(rows, defaultRows), orDefault(columns, defaultColumns)); err != nil {
		s.close()
		return nil, err
	}
	s.ready.open(s.out)
	return s, nil
}

// openMaster opens the master twice, to read it and to write to it, and sets the size.
func (s *streams) openMaster(master *os.File, rows, columns uint16) error {
	fd, err := duplicate(master)
	if err != nil {
		return err
	}
	s.out[0].from = newReadEnd(fd)
	if fd, err = duplicate(master); err != nil {
		return err
	}
	s.stdin = os.NewFile(uintptr(fd), "terminal") // in non-blocking mode, which the two share
	s.terminal.keyboard = s.stdin
	return s.terminal.resize(rows, columns)
}

func orDefault(n, fallback uint16) uint16 {
	if n == 0 {
		return fallback
	}
	return n
}

// duplicate makes another descriptor of an open file.
func duplicate(f *os.File) (fd int, err error) {
	err = control(f, func(own int) (err error) {
		fd, err = unix.FcntlInt(uintptr(own), unix.F_DUPFD_CLOEXEC, 0)
		return os.NewSyscallError("fcntl", err)
	})
	return fd, err
}

// control calls f with the descriptor of a file, which it does not put into blocking
// mode as File.Fd does.
func control(file *os.File, f func(fd int) error) error {
	raw, err := file.SyscallConn()
	if err != nil {
		return err
	}
	var result error
	if err := raw.Control(func(fd uintptr) { result = f(int(fd)) }); err != nil {
		return err
	}
	return result
}

// resize sets the size of the terminal. The system tells the command by SIGWINCH.
func (t *terminal) resize(rows, columns uint16) error {
	err := control(t.keyboard, func(fd int) error {
		return unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: columns})
	})
	if err != nil {
		return errCommandEnded
	}
	return nil
}

// typing is where input is written. It remembers whether a line has ended.
func (t *terminal) typing(stdin *os.File) io.Writer {
	if t == nil {
		return stdin
	}
	return typist{t}
}

type typist struct{ *terminal }

func (t typist) Write(p []byte) (int, error) {
	if len(p) > 0 {
		last := p[len(p)-1]
		t.lineEnd = last == '\n' || last == '\r'
	}
	return t.keyboard.Write(p)
}

// endInput types the end of the input, where the terminal reads lines. Behind a part
// of a line it takes two: the first only ends that.
func (t *terminal) endInput() {
	if t == nil {
		return
	}
	eof, ok := t.eof()
	if !ok {
		return
	}
	keys := []byte{eof, eof}
	if t.lineEnd {
		keys = keys[1:]
	}
	_, _ = t.keyboard.Write(keys) // an error: the command has ended
}

// eof is the key that ends the input, where the terminal reads lines.
func (t *terminal) eof() (key byte, ok bool) {
	err := control(t.slave, func(fd int) error {
		settings, err := unix.IoctlGetTermios(fd, getTermios)
		if err == nil {
			key, ok = settings.Cc[unix.VEOF], settings.Lflag&unix.ICANON != 0
		}
		return err
	})
	return key, ok && err == nil
}

// release closes the command's end, when the command has ended.
func (t *terminal) release() {
	if t != nil {
		t.freed.Do(func() { t.slave.Close() })
	}
}
