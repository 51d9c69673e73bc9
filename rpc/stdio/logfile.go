package stdio

import (
	"fmt"
	"os"
	"sync"
)

const (
	// maxLog is how many bytes a log may have before a new one is begun.
	maxLog = 10 << 20
	// keptLogs is how many logs are kept beside the one that is written.
	keptLogs = 3
)

// LogFile is a log in a file, in the place of stdout and stderr: what a panic and the
// runtime write goes there, too. Beyond 10 MiB it becomes FILE.1, and a new one is
// begun; FILE.2 and FILE.3 are older.
type LogFile struct {
	path string
	most int64
	mu   sync.Mutex
}

// OpenLogFile makes the file where it is not there, with mode 0600, appends to it
// from now on, and puts it in the place of stdout and stderr.
func OpenLogFile(path string) (*LogFile, error) {
	l := &LogFile{path: path, most: maxLog}
	if info, err := os.Lstat(path); err == nil && info.Size() >= l.most {
		l.shift()
	}
	return l, l.open()
}

// Write appends to the log. It may be called by many goroutines.
func (l *LogFile) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if info, err := os.Stderr.Stat(); err == nil && info.Mode().IsRegular() && info.Size() >= l.most {
		l.shift()
		_ = l.open() // else the old one goes on, under its new name
	}
	return os.Stderr.Write(p)
}

// open opens the file and puts it in the place of stdout and stderr.
func (l *LogFile) open() error {
	f, err := os.OpenFile(l.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|asItIs, 0o600)
	if err != nil {
		return err
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		_ = f.Close()
		return fmt.Errorf("the log %s is no regular file; name another", l.path)
	}
	return replaceOutput(f)
}

// shift makes FILE.1 of the file, FILE.2 of FILE.1, and so on. What cannot be renamed
// stays: a log is no reason to end.
func (l *LogFile) shift() {
	for n := keptLogs; n > 1; n-- {
		_ = os.Rename(l.numbered(n-1), l.numbered(n))
	}
	_ = os.Rename(l.path, l.numbered(1))
}

func (l *LogFile) numbered(n int) string { return fmt.Sprintf("%s.%d", l.path, n) }
