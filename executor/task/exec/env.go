package exec

import (
	"crypto/rand"
	"fmt"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
)

// ownPrefix begins the names of variables that are settings of a server, or
// marks of its commands. A command inherits none of them: a server that it
// starts is not set up by the variables of this one.
const ownPrefix = "JOBLINE_"

// The variables that mark every process of a command, so that one which left
// its group is found. They override what a task has.
const (
	taskVar   = ownPrefix + "TASK_ID"
	serverVar = ownPrefix + "SERVER_ID"
)

// newServerID is unguessable, so that no stranger's process carries it.
func newServerID() string { return rand.Text() }

// mark marks the processes of one command.
type mark struct {
	key    string // SERVER.TASK
	task   string // of taskVar: NAME=value
	server string // of serverVar: NAME=value, the keys of the commands that this one is within, too
}

func (c *Runner) mark(task string) mark {
	key := c.server + keyDot + task
	return mark{key: key, task: taskVar + "=" + task, server: serverVar + "=" + c.outer + key}
}

const (
	keyDot   = "."
	keySlash = "/"
	// maxOuter bounds the keys that a server passes on, in bytes: some 60 servers
	// within each other.
	maxOuter = 4 << 10
)

var outerKeys = regexp.MustCompile(`^([A-Z2-7]{20,}\.[0-9a-f-]{36}/)*[A-Z2-7]{20,}\.[0-9a-f-]{36}$`)

// outerKeysOf is what is put before the key of a command, where this server is
// part of another's command itself and has this value of serverVar: the other
// one has to find what this one's commands leave.
func outerKeysOf(value string) string {
	if len(value) > maxOuter || !outerKeys.MatchString(value) {
		return ""
	}
	return value + keySlash
}

func checkPatterns(patterns []string) error {
	for _, p := range patterns {
		if _, err := path.Match(p, ""); err != nil || p == "" {
			return fmt.Errorf("the pattern %q for names of variables: want a name, or one with * in it", p)
		}
	}
	return nil
}

func allowed(name string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		ok, _ := path.Match(foldName(p), foldName(name)) // New has checked the pattern
		return ok
	})
}

// environ is the environment of a command: the markers, what it gets of this
// process's, and what its task gives.
func (c *Runner) environ(in *Input, m mark, dir string) []string {
	given := map[string]bool{}
	for name := range in.Env {
		given[foldName(name)] = true
	}
	own := os.Environ()
	env := make([]string, 0, len(own)+len(in.Env)+3)
	env = append(env, m.task, m.server)
	if dir != "" && !given[pwdVar] {
		given[pwdVar] = true // ours says where this process is
		env = append(env, pwdVar+"="+dir)
	}
	for _, variable := range own {
		name := nameOf(variable)
		if !given[foldName(name)] && c.inherits(name, in.CleanEnv) {
			env = append(env, variable)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(in.Env)) {
		if value := in.Env[name]; value != nil && !isMarker(name) {
			env = append(env, name+"="+*value)
		}
	}
	return env
}

func isMarker(name string) bool {
	name = foldName(name)
	return name == foldName(taskVar) || name == foldName(serverVar)
}

// passes says whether a command gets a variable of this process's environment.
func (c *Runner) inherits(name string, clean bool) bool {
	return !strings.HasPrefix(foldName(name), ownPrefix) &&
		(c.options.EnvAllow == nil || allowed(name, c.options.EnvAllow)) && (!clean || allowed(name, cleanNames))
}

// nameOf is the name in NAME=value. Windows has names that begin with "=".
func nameOf(variable string) string {
	if i := strings.Index(variable[min(1, len(variable)):], "="); i >= 0 {
		return variable[:i+1]
	}
	return variable
}

// lookupEnv is the value of a variable in an environment.
func lookupEnv(env []string, name string) string {
	for _, variable := range env {
		if value, ok := strings.CutPrefix(variable, name+"="); ok {
			return value
		}
	}
	return ""
}
