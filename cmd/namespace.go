package cmd

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/jobline/jobline/cmd/internal/show"
	"github.com/jobline/jobline/executor/store/nats"
	taskexec "github.com/jobline/jobline/executor/task/exec"
)

// This file has how commands reach the queue of many machines: through a server of this user that
// runs nothing itself.

// namespace is the queue of many machines of a Scope.
type namespace struct {
	address nats.Address
	creds   string    // the file of credentials, or ""
	outbox  string    // the file of the outbox, or ""
	role    nats.Role // "" is that of serve
}

// sharedStore is what --store or its variable gives, or "", and which of them it is. A flag that names
// a server wins over the variable, and so does the variable of a socket.
func (o *targetOptions) sharedStore() (text, from string) {
	switch {
	case o.store != "":
		return o.store, "--store "
	case o.socket != "" || o.project != "" || o.local || os.Getenv(socketVariable) != "":
		return "", ""
	}
	return os.Getenv(envName("store")), envName("store") + "="
}

// elsewhere reports whether other machines run the tasks of the command.
func (o *targetOptions) elsewhere() bool {
	text, _ := o.sharedStore()
	return nats.IsAddress(text)
}

// namespace is the queue that the options name, or nil. The program is that of the cure.
func (o *targetOptions) namespace(program string) (*namespace, error) {
	text, from := o.sharedStore()
	if text == "" {
		if o.creds != "" || o.role != "" || o.outbox != "" {
			return nil, usagef("--store-creds, --store-role and --outbox are for a queue of many machines; give its --store, too")
		}
		return nil, nil
	}
	if !nats.IsAddress(text) {
		return nil, usagef("%s%q: want nats://HOST,HOST/NAMESPACE, or the same with tls; the tasks in a file are reached by the socket of their server: start it by "+
			"%s serve --store %s --listen unix:PATH, and give commands --socket PATH", from, text, program, show.ShellWord(text))
	}
	at, err := nats.ParseAddress(text)
	if err != nil {
		return nil, usagef("%s%q: %v", from, text, err)
	}
	n := &namespace{address: at, role: o.role}
	if n.role == "" {
		if n.role, err = roleOfEnvironment(); err != nil {
			return nil, err
		}
	}
	if n.creds, err = fullPath(cmp.Or(o.creds, os.Getenv(envName("store-creds")))); err != nil {
		return nil, err
	}
	n.outbox, err = fullPath(cmp.Or(o.outbox, os.Getenv(envName("outbox"))))
	return n, err
}

// roleOfEnvironment is the role that the variable names, or "".
func roleOfEnvironment() (role nats.Role, err error) {
	text := os.Getenv(envName("store-role"))
	if text == "" {
		return "", nil
	}
	if err := roleFlag(&role).Set(text); err != nil {
		return "", usagef("%s=%q: %v", envName("store-role"), text, err)
	}
	return role, nil
}

// name is that of the scope. Commands that show the servers of NATS somebody else have another
// server: who has more rights must not lend them. Secrets are no part of it.
func (n *namespace) name() (string, error) {
	c := credentials(n.creds)
	parts := []string{n.address.String(), string(cmp.Or(n.role, nats.RoleExecutor)), c.User}
	for _, file := range []string{c.File, c.Seed, c.Cert} {
		path, err := fullPath(file)
		if err != nil {
			return "", err
		}
		parts = append(parts, path)
	}
	if n.outbox != "" { // without it a submit would fail that is to wait
		parts = append(parts, n.outbox)
	}
	return "n-" + digestOf(strings.Join(parts, "\n")), nil
}

// fullPath is the absolute path of a file; "" stays.
func fullPath(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	return filepath.Abs(path)
}

// serveFlags are those with which a server of the namespace is started.
func (n *namespace) serveFlags() []string {
	flags := []string{"--limit=0"}
	if n.creds != "" {
		flags = append(flags, "--store-creds="+n.creds)
	}
	if n.outbox != "" {
		flags = append(flags, "--outbox="+n.outbox)
	}
	if n.role != "" {
		flags = append(flags, "--store-role="+string(n.role))
	}
	return flags
}

// roleNames are the names of the roles.
func roleNames() (names []string) {
	for _, r := range nats.Roles {
		names = append(names, string(r))
	}
	return names
}

// roleFlag is a flag for a role of which "" is that of serve.
func roleFlag(to *nats.Role) pflag.Value {
	return &flagValue[nats.Role]{to, func(text string) (nats.Role, error) {
		if !slices.Contains(nats.Roles, nats.Role(text)) {
			return "", wantOneOf(text, roleNames())
		}
		return nats.Role(text), nil
	}, func(r nats.Role) string { return string(r) }, strings.Join(roleNames(), "|")}
}

// namespaceLimits are flags of serve that change a namespace for all. What is set for servers of
// this machine must not.
var namespaceLimits = []string{"keep", "keep-for", "keep-bytes", "keep-ids", "max-queued", "max-output", "resource"}

// serverEnviron is the environment of a server that a process with another starts. The
// secrets of whoever happens to start it are left out: the server outlives that process,
// and runs the commands of others. Commands get theirs with the submit. A server of a namespace
// runs nothing, and gets what shows who it is. It runs in another folder, so paths become absolute.
func (n *namespace) serverEnviron(environment []string) (env []string) {
	for _, variable := range environment {
		name, value, _ := strings.Cut(variable, "=")
		switch {
		case slices.Contains(ownVariables, name), n == nil && isCredential(name):
			continue
		case slices.Contains(credentialTexts, name):
		case slices.Contains(credentialFiles, name):
			if path, err := fullPath(value); err == nil {
				variable = name + "=" + path
			}
		case n != nil && slices.ContainsFunc(namespaceLimits, func(flag string) bool { return name == envName(flag) }):
			continue
		case !strings.HasPrefix(name, envPrefix) && taskexec.HiddenByDefault(name):
			continue
		}
		env = append(env, variable)
	}
	return env
}
