package sqlite

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/sqlite/inspect"
)

// refused is the error of a store that cannot be opened.
func refused(t *testing.T, path string) error {
	t.Helper()
	_, err := Open(t.Context(), Options{Path: path})
	require.Error(t, err)
	require.NotContains(t, err.Error(), "\n")
	return err
}

func TestPathsThatMeanSomethingElse(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for path, says := range map[string]string{
		"":           "needs the path of a file",
		"a\x00b":     "has a NUL byte",
		":memory:":   "./:memory: for a file",
		"file:x.db":  "./file:x.db for a file",
		"~":          "begins with ~, which only a shell",
		"~/x.db":     "./~/x.db if that",
		"~them/x.db": "begins with ~them, which only a shell",
	} {
		require.ErrorContains(t, refused(t, path), says, path)
	}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)
	for _, path := range []string{"./:memory:", "./file:x.db", "./~/x.db", "~x.db"} {
		s, err := Open(t.Context(), Options{Path: path})
		require.NoError(t, err, path)
		require.Equal(t, filepath.Join(dir, path), s.Info().File)
		require.NoError(t, s.Close())
	}
}

func TestARefusalLeavesNothing(t *testing.T) {
	newer, _ := sample(t)
	edit(t, newer, "PRAGMA user_version=99")
	later, err := os.ReadFile(newer)
	require.NoError(t, err)
	for name, test := range map[string]struct {
		text string
		mode os.FileMode
		says string
	}{
		"a text":             {"all: test\n", 0o600, "is not a jobline store"},
		"a newer store":      {string(later), 0o600, "written by a newer jobline"},
		"others may write":   {"", 0o602, "its mode is 0602"},
		"another's database": {string(later[:68]) + "\x01" + string(later[69:]), 0o600, "of another program"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "tasks.db")
			require.NoError(t, os.WriteFile(path, []byte(test.text), 0o600))
			require.NoError(t, os.Chmod(path, test.mode))
			before := looks(t, path)
			require.ErrorContains(t, refused(t, path), test.says)
			require.Equal(t, before, looks(t, path))
		})
	}
}

// TestAnEmptyFileIsNarrowed has a file with the mode that a shell gives it.
func TestAnEmptyFileIsNarrowed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tasks.db")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	require.NoError(t, os.Chmod(path, 0o644))
	s, err := Open(t.Context(), Options{Path: path})
	require.NoError(t, err)
	submit(t, s, newTask())
	require.NoError(t, s.Close())
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	require.NotZero(t, info.Size())
}

func TestALinkThatLeadsNowhere(t *testing.T) {
	dir := t.TempDir()
	link, target := filepath.Join(dir, "link.db"), filepath.Join(dir, "none", "tasks.db")
	require.NoError(t, os.Symlink(target, link))
	says := link + " is a symbolic link to " + target + ", which is not there: name that file itself"
	require.ErrorContains(t, refused(t, link), says)
	require.ErrorContains(t, inspect.Check(t.Context(), link, nil), says)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1)

	s, err := Open(t.Context(), Options{Path: target})
	require.NoError(t, err)
	var held *HeldError
	require.ErrorAs(t, refused(t, link), &held)
	require.NoError(t, s.Close())

	circle := filepath.Join(dir, "circle.db")
	require.NoError(t, os.Symlink(circle, circle))
	require.ErrorContains(t, refused(t, circle), circle)
}

// TestADamagedFileIsNamedWithTheCure has files that SQLite cannot open, and one
// whose damage it meets later.
func TestADamagedFileIsNamedWithTheCure(t *testing.T) {
	sound, _ := sample(t)
	whole, err := os.ReadFile(sound)
	require.NoError(t, err)
	spoilt := strings.Repeat("\xa5", 4096)
	for name, test := range map[string]struct {
		file  string
		opens bool // for those that only read
	}{
		"cut":            {string(whole[:5000]), false},
		"cut to a page":  {string(whole[:4096]), false},
		"bad pages":      {string(whole[:4096]) + strings.Repeat(spoilt, len(whole)/4096-1), true},
		"bad definition": {string(whole[:100]) + spoilt[100:] + string(whole[4096:]), false},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "tasks.db")
			require.NoError(t, os.WriteFile(path, []byte(test.file), 0o600))
			const inside = "; put a backup in its place, or see what can be read with jobline store check and jobline store export"
			dest := filepath.Join(t.TempDir(), "backup.db")
			_, inspects := inspect.Inspect(t.Context(), path)
			for what, test := range map[string]struct {
				err  error
				cure string
			}{
				"open":    {refused(t, path), inside},
				"inspect": {inspects, inside},
				"backup":  {inspect.Backup(t.Context(), path, dest, func(inspect.Finding) {}), inside},
				"export": {
					inspect.Export(t.Context(), path, executor.Filter{}, nil, func(inspect.Finding) {}),
					"; put a backup in its place, or go on with what was printed until here",
				},
			} {
				require.ErrorIs(t, test.err, sqlite3.CORRUPT, what)
				require.ErrorContains(t, test.err, "the store "+path+" is damaged: ", what)
				require.ErrorContains(t, test.err, test.cure, what)
				require.NotContains(t, test.err.Error(), "PRAGMA", what)
			}
			require.NoFileExists(t, dest)
			require.NoFileExists(t, dest+".part")
			found := findings(t, path)
			require.NotEmpty(t, found)
			if !test.opens {
				require.Contains(t, found[0], "the file cannot be read: ")
			}
		})
	}
}
