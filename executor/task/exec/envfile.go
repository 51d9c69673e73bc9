package exec

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/go-json-experiment/json"
)

// maxEnvFile bounds a file with an environment, in bytes. The system takes no more
// than 6 MiB of arguments and environment together.
const maxEnvFile = 8 << 20

// readEnvFile reads the environment that a task has in a file, as NAME=value. Its
// errors show nothing of what is in the file.
func readEnvFile(path string) ([]string, error) {
	shown := printable(path, maxPath)
	if !filepath.IsAbs(path) || strings.ContainsRune(path, 0) {
		return nil, invalid(fmt.Sprintf("envFile is %q: give the absolute path of a file", shown))
	}
	text, err := readPrivateFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, spawnError(err, fmt.Sprintf("the envFile %q is not there: submit a new task with one that is", shown))
	case errors.Is(err, errNotPrivate):
		return nil, spawnError(syscall.EACCES, fmt.Sprintf("the envFile %q is refused: %v", shown, err))
	case err != nil:
		return nil, spawnError(err, fmt.Sprintf("the envFile %q cannot be read: %v", shown, errnoIn(err)))
	}
	var values map[string]string
	if err := json.Unmarshal(text, &values); err != nil || values == nil {
		return nil, invalid(fmt.Sprintf("the envFile %q is no JSON object of texts by name", shown))
	}
	env := make([]string, 0, len(values))
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if name == "" || strings.ContainsAny(name, "=\x00") || strings.ContainsRune(values[name], 0) {
			return nil, invalid(fmt.Sprintf("the envFile %q has a name that is empty or has \"=\" in it, or a NUL byte", shown))
		}
		env = append(env, name+"="+values[name])
	}
	return env, nil
}

var errNotPrivate = errors.New("it must be a file that its owner, who is this server's user, alone can read: chmod 600 it")

// readPrivateFile reads a file that nobody but this process's user can read. It
// does not wait for a file that is a pipe.
func readPrivateFile(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|openNonblock, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || !isPrivate(info) {
		return nil, errNotPrivate
	}
	text, err := io.ReadAll(io.LimitReader(f, maxEnvFile+1))
	if err == nil && len(text) > maxEnvFile {
		return nil, fmt.Errorf("it has more than %d bytes", maxEnvFile)
	}
	return text, err
}
