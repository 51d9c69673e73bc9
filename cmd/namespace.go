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
	noCreds bool      // there is no file of credentials, whatever the environment says
	outbox  string    // the file of the outbox, or ""
	role    nats.Role // "" is that of serve
}

// sharedStore is what --store or its variable gives, or "", and which of them it is. A flag that names
// a server wins over the variable, and so does the variable of a socket.
func (o *targetOptions) sharedStore() (text, from string) {
	switch {
	case o.store != "":
		return o.store, "--store "
	case o.project != "" || o.local || o.orVariable("socket", o.socket) != "":
		return "", ""
	}
	return o.orVariable("store", ""), envName("store") + "="
}

// orVariable is the value of a flag, or that of its variable where the flag is not given. An empty value that is
// given wins over the variable, too.
func (o *targetOptions) orVariable(flag, value string) string {
	if value != "" || o.given(flag) {
		return value
	}
	return os.Getenv(envName(flag))
}

// given reports whether a flag is on the command line, whatever its value is.
func (o *targetOptions) given(flag string) bool { return o.flagSet != nil && o.flagSet.Changed(flag) }

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
	n := &namespace{address: at, noCreds: o.given("store-creds") && o.creds == ""}
	role := o.orVariable("store-role", string(o.role))
	if err := roleFlag(&n.role).Set(role); err != nil {
		return nil, usagef("%s=%q: %v", envName("store-role"), role, err)
	}
	if n.creds, err = fullPath(o.orVariable("store-creds", o.creds)); err != nil {
		return nil, err
	}
	n.outbox, err = fullPath(o.orVariable("outbox", o.outbox))
	return n, err
}

// credentials are what the commands show to the NATS servers.
func (n *namespace) credentials() nats.Credentials { return credentials(n.creds, n.noCreds) }

// name is the name of the scope. Commands with other credentials get another server, because a server with more
// rights must not lend them. The name contains no secrets.
func (n *namespace) name() (string, error) {
	c := n.credentials()
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
	if n.creds != "" || n.noCreds {
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
		if text != "" && !slices.Contains(nats.Roles, nats.Role(text)) {
			return "", wantOneOf(text, roleNames())
		}
		return nats.Role(text), nil
	}, func(r nats.Role) string { return string(r) }, strings.Join(roleNames(), "|")}
}

// namespaceLimits are flags of serve that change a namespace for all. What is set for servers of
// this machine must not.
var namespaceLimits = []string{"keep", "keep-for", "keep-bytes", "keep-ids", "max-queued", "max-output", "resource"}

// namespaceSettled are flags of serve that serveFlags gives where they have a value, and that have none else.
var namespaceSettled = []string{"store-creds", "store-role", "outbox"}

// serverEnviron is the environment of a server that a process with another starts. The
// secrets of the process that starts it are left out: the server outlives that process,
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
		case n != nil && slices.ContainsFunc(slices.Concat(namespaceLimits, namespaceSettled), func(flag string) bool { return name == envName(flag) }):
			continue
		case !strings.HasPrefix(name, envPrefix) && taskexec.HiddenByDefault(name):
			continue
		}
		env = append(env, variable)
	}
	return env
}
