//go:build unix

package sqlite

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/ncruces/go-sqlite3"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/jobline/jobline/executor/store/sqlite/inspect"
	"github.com/jobline/jobline/executor/store/sqlite/internal/file"
)

// stranger is the number of a user who is not this one.
const stranger = 54321

// give makes a file or a link another user's, which only root may.
func give(t *testing.T, path string, group int) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root may give files to another user")
	}
	require.NoError(t, os.Lchown(path, stranger, group))
}

// TestFilesOfOthersAreRefused has something in the place of each file that is
// not a file of this user's alone. Nothing may come of it: neither is it read as
// a store, nor is anything written where it leads.
func TestFilesOfOthersAreRefused(t *testing.T) {
	for _, suffix := range []string{"", "-wal", "-shm", "-journal", ".lock"} {
		for name, test := range map[string]struct {
			put    func(t *testing.T, path, elsewhere string)
			says   string
			reads  string // what those say who only read; "" where they do read
			linked bool   // it is a file of ours, by another name
		}{
			"of another user": {func(t *testing.T, path, _ string) {
				give(t, path, stranger)
			}, " belongs to user 54321, and this program runs as root; run it as the owner, chown it if you trust what is in it, or ", " belongs to user 54321, and the store to root", false},
			"a link": {func(t *testing.T, path, elsewhere string) {
				require.NoError(t, os.Remove(path))
				require.NoError(t, os.WriteFile(elsewhere, []byte("precious"), 0o600))
				require.NoError(t, os.Symlink(elsewhere, path))
			}, " is a symbolic link; remove it ", " is a symbolic link; remove it ", true},
			"a link to nothing": {func(t *testing.T, path, elsewhere string) {
				require.NoError(t, os.Remove(path))
				require.NoError(t, os.Symlink(elsewhere, path))
			}, " is a symbolic link; remove it ", " is a symbolic link; remove it ", true},
			"a pipe": {func(t *testing.T, path, _ string) {
				require.NoError(t, os.Remove(path))
				require.NoError(t, unix.Mkfifo(path, 0o600))
			}, " is a pipe; ", " is a pipe; ", false},
			"with another name": {func(t *testing.T, path, elsewhere string) {
				require.NoError(t, os.Link(path, elsewhere))
			}, " has 2 names (hard links)", "", false},
			"that others may write": {func(t *testing.T, path, _ string) {
				require.NoError(t, os.Chmod(path, 0o666))
			}, " can be written by other users: its mode is 0666; chmod 600 it", "", false},
		} {
			if suffix == "" && test.linked {
				continue // see TestAStoreBySymbolicLinks
			}
			t.Run(name+suffix, func(t *testing.T) {
				path, _ := sample(t)
				elsewhere := filepath.Join(t.TempDir(), "elsewhere")
				if suffix != "" {
					require.NoError(t, os.WriteFile(path+suffix, nil, 0o600))
				}
				test.put(t, path+suffix, elsewhere)
				before, there := looks(t, path), contents(t, elsewhere)
				err := refused(t, path)
				require.ErrorContains(t, err, path+suffix+test.says)
				_, err = inspect.Inspect(t.Context(), path)
				if test.reads == "" || suffix == "" && name == "of another user" {
					require.NoError(t, err, "whoever may read a store may look at it")
				} else {
					require.ErrorContains(t, err, path+suffix+test.reads)
				}
				require.Equal(t, before, looks(t, path))
				require.Equal(t, there, contents(t, elsewhere))
			})
		}
	}
}

// TestAJournalThatComesLate is there after the look at the files, before SQLite looks.
func TestAJournalThatComesLate(t *testing.T) {
	path, _ := sample(t)
	require.NoError(t, os.WriteFile(path+"-journal", []byte("not empty, so that SQLite takes it for one to play back"), 0o600))
	give(t, path+"-journal", stranger)
	before := looks(t, path)
	_, err := file.DialWriter(path, "", "FULL", false)
	require.ErrorIs(t, err, sqlite3.CANTOPEN)
	require.Equal(t, before, looks(t, path))
}

// contents are those of a file that need not be there.
func contents(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if !os.IsNotExist(err) {
		require.NoError(t, err)
	}
	return string(b)
}

// TestModesAreNarrowed has files that others may read, as SQLite's own shell
// makes them.
func TestModesAreNarrowed(t *testing.T) {
	path, _ := sample(t)
	for _, suffix := range []string{"", "-wal", "-shm", ".lock"} {
		require.NoError(t, os.WriteFile(path+suffix, []byte(contents(t, path+suffix)), 0o600))
		require.NoError(t, os.Chmod(path+suffix, 0o644))
	}
	s, err := Open(t.Context(), Options{Path: path})
	require.NoError(t, err)
	submit(t, s, newTask())
	for _, suffix := range []string{"", "-wal", "-shm", ".lock"} {
		info, err := os.Stat(path + suffix)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode(), suffix)
	}
	require.NoError(t, s.Close())
}

// TestDirectoriesOfOthersAreRefused has directories in which another user could
// put a file in the place of a store's, or of a copy of one.
func TestDirectoriesOfOthersAreRefused(t *testing.T) {
	sound, _ := sample(t)
	for name, test := range map[string]struct {
		mode  os.FileMode
		set   func(t *testing.T, dir string)
		says  string
		cures bool
	}{
		"all may write":      {0o777, nil, "its mode is 0777, so other users can replace what is in it; name a file in a directory of its own", true},
		"sticky":             {0o777 | os.ModeSticky, nil, "", false},
		"a group may write":  {0o770, func(t *testing.T, dir string) { require.NoError(t, os.Chown(dir, -1, stranger)) }, "its mode is 0770", true},
		"the group of one":   {0o770, func(t *testing.T, dir string) { require.NoError(t, os.Chown(dir, -1, os.Geteuid())) }, "", false},
		"others may read":    {0o755, nil, "", false},
		"another user's":     {0o755, func(t *testing.T, dir string) { give(t, dir, 0) }, "it belongs to user 54321, and this program runs as root; name a file in a directory of its own", false},
		"sticky, another's":  {0o777 | os.ModeSticky, func(t *testing.T, dir string) { give(t, dir, 0) }, "it belongs to user 54321", false},
		"a group of another": {0o750, func(t *testing.T, dir string) { give(t, dir, 0) }, "it belongs to user 54321", false},
	} {
		t.Run(name, func(t *testing.T) {
			if os.Geteuid() != 0 {
				t.Skip("only root may give directories to others")
			}
			dir := filepath.Join(t.TempDir(), "dir")
			require.NoError(t, os.Mkdir(dir, 0o700))
			if test.set != nil {
				test.set(t, dir)
			}
			require.NoError(t, os.Chmod(dir, test.mode))
			path, copied := filepath.Join(dir, "tasks.db"), filepath.Join(dir, "copy.db")
			if test.says == "" {
				s, err := Open(t.Context(), Options{Path: path})
				require.NoError(t, err)
				require.NoError(t, s.Close())
				require.NoError(t, inspect.Backup(t.Context(), sound, copied, nil))
				return
			}
			require.ErrorContains(t, refused(t, path), "the store tasks.db cannot be in the directory "+dir+": "+test.says)
			require.ErrorContains(t, inspect.Backup(t.Context(), sound, copied, nil), "the copy copy.db cannot be in the directory "+dir+": "+test.says)
			entries, err := os.ReadDir(dir)
			require.NoError(t, err)
			require.Empty(t, entries)
			if test.cures { // as the message says
				s, err := Open(t.Context(), Options{Path: filepath.Join(dir, "own", "tasks.db")})
				require.NoError(t, err)
				require.NoError(t, s.Close())
			}
		})
	}
}

// TestAStoreBySymbolicLinks has links to files and directories, which lead where
// the kernel says.
func TestAStoreBySymbolicLinks(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "a", "deep"), 0o700))
	require.NoError(t, os.Symlink("a/deep", filepath.Join(dir, "to")))
	require.NoError(t, os.Symlink("to/../real.db", filepath.Join(dir, "link.db")))
	t.Chdir(dir)
	for _, test := range []struct{ name, is string }{
		{"to/../t.db", "a/t.db"},
		{dir + "/to/../t.db", "a/t.db"},
		{"to/../made/./x/../t.db", "a/made/t.db"},
		{"to/t.db", "a/deep/t.db"},
		{"./t.db", "t.db"},
	} {
		s, err := Open(t.Context(), Options{Path: test.name})
		require.NoError(t, err, test.name)
		is := filepath.Join(dir, test.is)
		require.Equal(t, is, s.Info().File)
		info, err := inspect.Inspect(t.Context(), test.name)
		require.NoError(t, err, test.name)
		require.NotEmpty(t, info.HeldBy)
		require.NoError(t, s.Close())
		require.FileExists(t, is+".lock")
	}
	require.NoError(t, inspect.Backup(t.Context(), "t.db", "to/../copy.db", nil))
	require.FileExists(t, filepath.Join(dir, "a", "copy.db"))
	require.NoFileExists(t, "copy.db")

	require.NoError(t, os.Rename("t.db", filepath.Join("a", "real.db")))
	s, err := Open(t.Context(), Options{Path: "link.db"})
	require.NoError(t, err)
	require.Equal(t, filepath.Join(dir, "a", "real.db"), s.Info().File)
	require.NoError(t, s.Close())
	for _, name := range []string{"a/", "a/..", ".", "none/.."} {
		require.ErrorContains(t, refused(t, name), "is that of a directory; name a file")
	}
	give(t, "link.db", stranger)
	require.ErrorContains(t, refused(t, "link.db"), "link.db is a symbolic link of user 54321, and this program runs as root; name the file to which it leads")
}

// TestNamesAreOnTheDisk has the names of all files and directories that a store
// makes be synced before it is open: what is in a file that has lost its name is
// lost.
func TestNamesAreOnTheDisk(t *testing.T) {
	top := t.TempDir()
	synced := map[string]bool{}
	options := Options{Path: filepath.Join(top, "a", "b", "tasks.db"), syncDir: func(dir string) error {
		entries, err := os.ReadDir(dir)
		for _, e := range entries {
			synced[filepath.Join(dir, e.Name())] = true
		}
		return err
	}}
	s, err := Open(t.Context(), options)
	require.NoError(t, err)
	for _, name := range []string{"a", "a/b", "a/b/tasks.db", "a/b/tasks.db-wal"} {
		require.True(t, synced[filepath.Join(top, name)], name)
	}
	require.NoError(t, s.Close())

	clear(synced) // the log went when the store was closed
	s, err = Open(t.Context(), options)
	require.NoError(t, err)
	require.True(t, synced[options.Path+"-wal"])
	require.NoError(t, s.Close())
}
