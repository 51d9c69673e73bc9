package nats

import (
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"
)

// DefaultPort is the port of a server whose address names only a host.
const DefaultPort = "4222"

// Address says where a namespace is: on which servers, and under which name.
type Address struct {
	// Servers are the URLs of servers of one cluster. A connection to one of them is enough.
	Servers   []string
	Namespace string
}

// IsAddress reports whether a text is meant as an Address: it begins with nats:// or tls://.
func IsAddress(text string) bool {
	scheme, _, _ := strings.Cut(text, "://")
	return scheme == "nats" || scheme == "tls"
}

var namespaceName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// ParseAddress reads nats://HOST,HOST/NAMESPACE, or the same with tls://. A host may have a port; without one
// it is DefaultPort. A name or password in the text is refused, because other users of the machine could see
// it.
func ParseAddress(text string) (Address, error) {
	scheme, rest, _ := strings.Cut(text, "://")
	hosts, namespace, _ := strings.Cut(rest, "/")
	if strings.Contains(hosts, "@") {
		return Address{}, fmt.Errorf("the address has a name or a password in it, which others can see; leave it out up to the @, and set NATS_USER and NATS_PASSWORD, or give --store-creds")
	}
	if !namespaceName.MatchString(namespace) {
		return Address{}, fmt.Errorf("%q names no namespace: want %s://HOST,HOST/NAMESPACE, and of the namespace at most 64 letters, digits, - and _", text, scheme)
	}
	a := Address{Namespace: namespace}
	for host := range strings.SplitSeq(hosts, ",") {
		server, err := serverURL(scheme, host)
		if err != nil {
			return Address{}, fmt.Errorf("%q: %w; want %s://HOST,HOST/NAMESPACE, each host perhaps with a port", text, err, scheme)
		}
		a.Servers = append(a.Servers, server)
	}
	return a, nil
}

// serverURL makes the URL of one server.
func serverURL(scheme, host string) (string, error) {
	u, err := url.Parse(scheme + "://" + host)
	if err != nil {
		return "", fmt.Errorf("%q is no host", host)
	}
	if u.Hostname() == "" || u.RawQuery != "" || u.Fragment != "" {
		return "", fmt.Errorf("%q is no host", host)
	}
	port := u.Port()
	if port == "" {
		port = DefaultPort
	}
	return scheme + "://" + net.JoinHostPort(u.Hostname(), port), nil
}

// String writes the address in the form that ParseAddress reads.
func (a Address) String() string {
	var hosts []string
	scheme := "nats"
	for _, server := range a.Servers {
		var host string
		scheme, host, _ = strings.Cut(server, "://")
		hosts = append(hosts, host)
	}
	return scheme + "://" + strings.Join(hosts, ",") + "/" + a.Namespace
}

// StreamName is the name of the stream that holds the log.
func (a Address) StreamName() string { return "JL_" + a.Namespace }
