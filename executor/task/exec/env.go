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

// ownPrefix begins the names of the variables that configure a server or mark its
// commands. A command inherits none of them, so that they do not configure a
// server that it starts.
const ownPrefix = "JOBLINE_"

// These variables mark every process of a command, so that one which has left its
// group is found. They override those of the task.
const (
	taskVar   = ownPrefix + "TASK_ID"
	serverVar = ownPrefix + "SERVER_ID"
)

// newServerID makes an id that no other process can guess and carry.
func newServerID() string { return rand.Text() }

// mark identifies the processes of one command by their environment.
type mark struct {
	key    string // SERVER.TASK
	task   string // the variable taskVar, as NAME=value
	server string // the variable serverVar, as NAME=value: the keys of all commands around this one, and its own
}

func (c *Runner) mark(task string) mark {
	key := c.server + keyDot + task
	return mark{key: key, task: taskVar + "=" + task, server: serverVar + "=" + c.outer + key}
}

const (
	keyDot   = "."
	keySlash = "/"
	// maxOuter bounds the keys of the commands around a server, in bytes. It is
	// enough for some 60 servers within each other.
	maxOuter = 4 << 10
)

var outerKeys = regexp.MustCompile(`^([A-Z2-7]{20,}\.[0-9a-f-]{36}/)*[A-Z2-7]{20,}\.[0-9a-f-]{36}$`)

// outerKeysOf returns what stands before the keys of this server's commands.
// The value is that of serverVar in this server's own environment. It has keys
// in it where another server has started this one by a command: that server has
// to find the processes of this one's commands, too.
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
		return matches(foldName(p), foldName(name))
	})
}

// noSlash puts another character in the place of each slash: in the name of a variable a
// slash is as any other, and a * that stops there would let a token pass, as in
// npm_config_//registry.example/:_authToken.
var noSlash = strings.NewReplacer("/", "\x00") // no name has a NUL byte

func matches(pattern, name string) bool {
	ok, _ := path.Match(noSlash.Replace(pattern), noSlash.Replace(name)) // New has checked the pattern
	return ok
}

// DefaultEnvHide are the names of variables whose values are hidden where
// Options.EnvHide is nil.
var DefaultEnvHide = []string{"*TOKEN*", "*SECRET*", "*PASSWORD*", "*KEY*"}

// HiddenByDefault reports whether DefaultEnvHide hides the value of a variable.
func HiddenByDefault(name string) bool { return hides(DefaultEnvHide, name) }

// hidesVariable reports whether the value of a variable is hidden.
func (c *Runner) hidesVariable(name string) bool { return hides(c.options.EnvHide, name) }

func hides(patterns []string, name string) bool {
	name = strings.ToUpper(name)
	return slices.ContainsFunc(patterns, func(p string) bool {
		return matches(strings.ToUpper(p), name)
	})
}

// environ returns the environment of a command: its mark, what it inherits, and
// what its task gives. It inherits from this process, or from the file that its
// task names.
func (c *Runner) environ(in *Input, m mark, dir string) ([]string, error) {
	given := map[string]bool{}
	for name := range in.Env {
		given[foldName(name)] = true
	}
	own, inherits := os.Environ(), c.inherits
	if in.EnvFile != "" {
		var err error
		if own, err = readEnvFile(in.EnvFile); err != nil {
			return nil, err
		}
		inherits = inheritsFromFile
	}
	env := make([]string, 0, len(own)+len(in.Env)+3)
	env = append(env, m.task, m.server)
	if dir != "" && !given[pwdVar] {
		given[pwdVar] = true // the inherited one is this process's directory
		env = append(env, pwdVar+"="+dir)
	}
	for _, variable := range own {
		name := nameOf(variable)
		if !given[foldName(name)] && inherits(name, in.CleanEnv) {
			env = append(env, variable)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(in.Env)) {
		if value := in.Env[name]; value != nil && !isMarker(name) {
			env = append(env, name+"="+*value)
		}
	}
	return env, nil
}

func isMarker(name string) bool {
	name = foldName(name)
	return name == foldName(taskVar) || name == foldName(serverVar)
}

// inherits reports whether a command gets a variable of this process's
// environment.
func (c *Runner) inherits(name string, clean bool) bool {
	return inheritsFromFile(name, clean) && (c.options.EnvAllow == nil || allowed(name, c.options.EnvAllow))
}

// inheritsFromFile reports whether a command gets a variable of the file that its
// task names. EnvAllow is about this process's environment, which it does not get.
func inheritsFromFile(name string, clean bool) bool {
	return !strings.HasPrefix(foldName(name), ownPrefix) && (!clean || allowed(name, cleanNames))
}

// nameOf returns the name in NAME=value. On Windows there are names that begin
// with "=".
func nameOf(variable string) string {
	if i := strings.Index(variable[min(1, len(variable)):], "="); i >= 0 {
		return variable[:i+1]
	}
	return variable
}

// lookupEnv returns the value of a variable in an environment, or "".
func lookupEnv(env []string, name string) string {
	for _, variable := range env {
		if value, ok := strings.CutPrefix(variable, name+"="); ok {
			return value
		}
	}
	return ""
}
