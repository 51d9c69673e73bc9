package cmd

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/jobline/jobline/executor/task/exec"
)

// callerEnv is where commands run that this process submits: as if it had started
// them itself.
type callerEnv struct {
	dir    jsontext.Value // or nil where other machines run the commands
	file   jsontext.Value // the path of a file with the environment, or nil where the executor has the same
	hidden jsontext.Value // the variables that must be in no file, or nil
}

// envKept is how long a file with an environment is kept after its last use.
const envKept = 30 * day

// newCallerEnv reads the directory and the environment of this process. What is no
// secret goes to a file in a folder of the user, once for each environment; the input
// of a command then names the file. With no folder the environment is left out.
func newCallerEnv(folder string) (*callerEnv, error) {
	dir, err := os.Getwd()
	if err != nil {
		return nil, fmt.Errorf("this directory, in which the command is to run, is gone: %w; cd to one that is there", err)
	}
	c := &callerEnv{dir: quotedJSON(dir)}
	if folder == "" {
		return c, nil
	}
	open, hidden := splitEnviron(os.Environ())
	if len(hidden) > 0 {
		if c.hidden, err = json.Marshal(hidden, json.Deterministic(true)); err != nil {
			return nil, err
		}
	}
	text, err := json.Marshal(open, json.Deterministic(true))
	if err != nil {
		return nil, err
	}
	path, err := keepEnvironment(folder, text)
	if err != nil {
		return nil, fmt.Errorf("keep the environment for the command: %w; %s", err, cureOfState)
	}
	c.file = quotedJSON(path)
	return c, nil
}

// callerFor is newCallerEnv for commands of a server. One of this command's own has the same
// environment. Other machines have neither this directory nor the file.
func (p *Program) callerFor(o *targetOptions) (*callerEnv, error) {
	switch {
	case o.elsewhere():
		return &callerEnv{}, nil
	case o.local:
		return newCallerEnv("")
	}
	folder, err := p.environmentFolder()
	if err != nil {
		return nil, err
	}
	return newCallerEnv(folder)
}

// splitEnviron parts variables into those that may be in a file and those that are
// hidden. Settings and credentials of servers are left out, and names and values that are not
// UTF-8, which JSON does not have.
func splitEnviron(environment []string) (open, hidden map[string]string) {
	open, hidden = map[string]string{}, map[string]string{}
	for _, variable := range environment {
		name, value, _ := strings.Cut(variable, "=")
		switch {
		case name == "" || strings.HasPrefix(name, envPrefix) || isCredential(name) || !utf8.ValidString(variable):
		case exec.HiddenByDefault(name):
			hidden[name] = value
		default:
			open[name] = value
		}
	}
	return open, hidden
}

// keepEnvironment writes a file for its user alone, unless it is there, and answers
// its path. The file's time says when it was last used. One that lost its content when
// the machine lost its power is written again.
func keepEnvironment(folder string, text []byte) (path string, err error) {
	sum := sha256.Sum256(text)
	path = filepath.Join(folder, hex.EncodeToString(sum[:])+".json")
	there, err := os.ReadFile(path)
	if err == nil && bytes.Equal(there, text) {
		now := time.Now()
		err = os.Chtimes(path, now, now)
		if err == nil {
			return path, nil
		}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", err
	}
	return path, replaceFile(path, text)
}

// environmentFolder is the folder for environments of commands.
func (p *Program) environmentFolder() (string, error) {
	state, err := stateFolder(p.Name)
	return filepath.Join(state, "env"), err
}

// removeOldEnvironments removes the files that no command has used for a long time,
// and what a crash has left of new ones.
func removeOldEnvironments(folder string, now time.Time) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return // there is none yet
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() && now.Sub(info.ModTime()) > envKept {
			_ = os.Remove(filepath.Join(folder, e.Name())) // another server may have removed it
		}
	}
}

// addTo sets the members of an input of exec that it does not have. The output is
// ordered, so that logs can show it as it came.
func (c *callerEnv) addTo(input jsontext.Value) (jsontext.Value, error) {
	var members map[string]jsontext.Value
	if json.Unmarshal(input, &members) != nil || members == nil {
		return input, nil // what is wrong with it, the server says better
	}
	if members["dir"] == nil && c.dir != nil {
		members["dir"] = c.dir
	}
	if members["stderr"] == nil {
		members["stderr"] = quotedJSON(exec.Ordered)
	}
	if members["envFile"] == nil && c.file != nil {
		members["envFile"] = c.file
		if c.hidden != nil {
			env, err := withHidden(members["env"], c.hidden)
			if err != nil {
				return nil, err
			}
			members["env"] = env
		}
	}
	return json.Marshal(members, json.Deterministic(true))
}

// withHidden adds variables to those of an input, which win.
func withHidden(env, hidden jsontext.Value) (jsontext.Value, error) {
	if env == nil {
		return hidden, nil
	}
	var given map[string]jsontext.Value
	if json.Unmarshal(env, &given) != nil {
		return env, nil // what is wrong with it, the server says better
	}
	all := map[string]jsontext.Value{}
	if err := json.Unmarshal(hidden, &all); err != nil {
		return nil, err
	}
	for name, value := range given {
		all[name] = value
	}
	return json.Marshal(all, json.Deterministic(true))
}
