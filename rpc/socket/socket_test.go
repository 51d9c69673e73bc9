//go:build linux || darwin || freebsd

package socket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// listen reserves a socket and listens, until the test is over.
func listen(t *testing.T, path string) *Socket {
	t.Helper()
	s, err := Reserve(t.Context(), path)
	require.NoError(t, err)
	require.NoError(t, s.Listen())
	t.Cleanup(func() {
		s.close()
		require.NoError(t, s.Release())
	})
	return s
}

func TestNobodyElseCanUseASocket(t *testing.T) {
	old := unix.Umask(0)
	defer unix.Umask(old)
	folder := filepath.Join(socketDir(t), "new", "folder")
	s := listen(t, filepath.Join(folder, "s"))
	for path, want := range map[string]os.FileMode{
		filepath.Dir(folder): os.ModeDir | 0o700, folder: os.ModeDir | 0o700, s.path: os.ModeSocket | 0o600, LockPath(s.path): 0o600,
	} {
		info, err := os.Lstat(path)
		require.NoError(t, err)
		require.Equal(t, want, info.Mode(), path)
	}
}

func TestOneServerHasASocket(t *testing.T) {
	path := filepath.Join(socketDir(t), "s")
	first := listen(t, path)
	_, err := Reserve(t.Context(), path)
	var held *HeldError
	require.ErrorAs(t, err, &held)
	self := fmt.Sprintf("process %d (%s)", os.Getpid(), filepath.Base(os.Args[0]))
	require.Equal(t, HeldError{Path: path, Holder: self}, *held)
	holder, err := Holder(path)
	require.NoError(t, err)
	require.Equal(t, self, holder)

	// The next waits for one that ends.
	require.NoError(t, first.Retire())
	released := make(chan error)
	time.AfterFunc(50*time.Millisecond, func() {
		first.close()
		released <- first.Release()
	})
	next := make(chan error, 1)
	go func() {
		s, err := Reserve(t.Context(), path)
		if err == nil {
			err = errors.Join(s.Listen(), s.Retire(), s.Release())
			s.close()
		}
		next <- err
	}()
	require.NoError(t, <-released)
	require.NoError(t, <-next)
}

func TestDial(t *testing.T) {
	path := filepath.Join(socketDir(t), "s")
	_, err := Dial(t.Context(), path)
	require.ErrorIs(t, err, ErrNobodyListens)
	listen(t, path)
	conn, err := Dial(t.Context(), path)
	require.NoError(t, err)
	require.NoError(t, conn.Close())
}

func TestAServerThatStaysAtItsEndIsNotWaitedForForEver(t *testing.T) {
	path := filepath.Join(socketDir(t), "s")
	require.NoError(t, listen(t, path).Retire())
	ctx, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer stop()
	_, err := Reserve(ctx, path)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorIs(t, AwaitEnd(ctx, path, holderOf(LockPath(path))), context.DeadlineExceeded)
}

// A server that was killed leaves its socket, and perhaps one that was not in its
// place yet.
func TestAStaleSocketIsTakenOver(t *testing.T) {
	path := filepath.Join(socketDir(t), "s")
	for _, left := range []string{path, path + newSuffix} {
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: left, Net: "unix"})
		require.NoError(t, err)
		l.SetUnlinkOnClose(false)
		require.NoError(t, l.Close())
	}
	_, err := Dial(t.Context(), path)
	require.ErrorIs(t, err, ErrNobodyListens)
	listen(t, path)
	require.True(t, answers(t.Context(), path))
	require.NoFileExists(t, path+newSuffix)
}

func TestAServerWithoutALockIsLeftAlone(t *testing.T) {
	path := filepath.Join(socketDir(t), "s")
	l, err := net.Listen("unix", path)
	require.NoError(t, err)
	defer l.Close()
	_, err = Reserve(t.Context(), path)
	require.ErrorContains(t, err, "is served by another program")
}

// Those that have connected before the end are all answered by Accept.
func TestRetireKeepsTheQueue(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("other systems empty the queue")
	}
	path := filepath.Join(socketDir(t), "s")
	s := listen(t, path)
	const waiting = 3
	for range waiting {
		conn, err := Dial(t.Context(), path)
		require.NoError(t, err)
		defer conn.Close()
	}
	require.NoError(t, s.Retire())
	_, err := Dial(t.Context(), path)
	require.ErrorIs(t, err, ErrNobodyListens)
	for range waiting {
		conn, err := s.Accept()
		require.NoError(t, err)
		require.NoError(t, conn.Close())
	}
	_, err = s.Accept()
	require.ErrorIs(t, err, net.ErrClosed)
}

func TestHostileFolders(t *testing.T) {
	root := os.Geteuid() == 0
	cases := map[string]struct {
		prepare func(dir string) (path string, err error)
		want    string
		asRoot  bool
	}{
		"a symbolic link": {func(dir string) (string, error) {
			return filepath.Join(dir, "link", "s"), errors.Join(os.Mkdir(filepath.Join(dir, "real"), 0o700), os.Symlink("real", filepath.Join(dir, "link")))
		}, "is a symbolic link; name the folder to which it leads", false},
		"writable by others": {func(dir string) (string, error) {
			return filepath.Join(dir, "s"), os.Chmod(dir, 0o720)
		}, "can be written by other users: its mode is 0720; chmod go-w it", false},
		"as /tmp": {func(dir string) (string, error) {
			return filepath.Join(dir, "s"), os.Chmod(dir, 0o777|os.ModeSticky)
		}, "can be written by other users; name a socket in a folder of your own", false},
		"within one that is writable by others": {func(dir string) (string, error) {
			return filepath.Join(dir, "in", "s"), errors.Join(os.Mkdir(filepath.Join(dir, "in"), 0o700), os.Chmod(dir, 0o777))
		}, "cannot be trusted: other users can write", false},
		"of another user": {func(dir string) (string, error) {
			return filepath.Join(dir, "s"), os.Chown(dir, 65534, -1)
		}, "belongs to user 65534, and this program runs as root", true},
		"within one of another user": {func(dir string) (string, error) {
			return filepath.Join(dir, "in", "s"), errors.Join(os.Mkdir(filepath.Join(dir, "in"), 0o700), os.Chown(dir, 65534, -1))
		}, "belongs to user 65534; name a socket in another folder", true},
		"a file in the place of the socket": {func(dir string) (string, error) {
			return filepath.Join(dir, "s"), os.WriteFile(filepath.Join(dir, "s"), nil, 0o600)
		}, "is something else than this program would make", false},
		"a link in the place of the socket": {func(dir string) (string, error) {
			return filepath.Join(dir, "s"), os.Symlink("/dev/log", filepath.Join(dir, "s"))
		}, "is something else than this program would make", false},
		"a link in the place of the lock": {func(dir string) (string, error) {
			return filepath.Join(dir, "s"), os.Symlink("target", LockPath(filepath.Join(dir, "s")))
		}, "is something else than this program would make", false},
		"a lock of another user": {func(dir string) (string, error) {
			lock := LockPath(filepath.Join(dir, "s"))
			return filepath.Join(dir, "s"), errors.Join(os.WriteFile(lock, nil, 0o666), os.Chown(lock, 65534, -1))
		}, "belongs to user 65534", true},
		"a path that is too long": {func(dir string) (string, error) {
			return filepath.Join(dir, strings.Repeat("s", maxPath)), nil
		}, "the path of the socket is too long", false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if c.asRoot && !root {
				t.Skip("only root can give a file away")
			}
			dir := filepath.Join(socketDir(t), "d")
			require.NoError(t, os.Mkdir(dir, 0o700))
			path, err := c.prepare(dir)
			require.NoError(t, err)
			_, err = Reserve(t.Context(), path)
			require.ErrorContains(t, err, c.want)
			require.NotContains(t, err.Error(), "\n")
			require.NoFileExists(t, filepath.Join(dir, "target"))
		})
	}
}

func TestDialOfAPathThatIsTooLong(t *testing.T) {
	_, err := Dial(t.Context(), "/tmp/"+strings.Repeat("s", maxPath))
	require.ErrorContains(t, err, "is too long: it has")
}

// Another user is refused by both ends, even where the files would let it in.
func TestAnotherUserIsRefused(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can be another user")
	}
	r := newRig(t, nil, Options{})
	require.NoError(t, os.Chmod(filepath.Dir(r.path), 0o755))
	require.NoError(t, os.Chmod(r.path, 0o777))
	asAnother(t, func() {
		_, err := Dial(context.Background(), r.path)
		var foreign *ForeignError
		if !errors.As(err, &foreign) || foreign.User != 0 || foreign.Self != anotherUser {
			t.Errorf("dial: %v", err)
		}
		conn, err := net.Dial("unix", r.path)
		if err != nil {
			t.Errorf("dial: %v", err)
			return
		}
		defer conn.Close()
		said, err := io.ReadAll(conn)
		if err != nil || !strings.Contains(string(said), `"message":"the other end of the socket belongs to user 65534, and this program runs as root`) {
			t.Errorf("the server has said %q (%v)", said, err)
		}
	})
	require.Zero(t, r.Connections())
	r.dial().works(t)
}
