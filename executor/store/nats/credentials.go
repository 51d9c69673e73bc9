package nats

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
)

// Credentials are what a process shows to the NATS servers to be let in. The zero value shows nothing.
type Credentials struct {
	File           string // path of a credentials file: the JWT of a user and its seed
	User, Password string
	Token          string
	Seed           string // path of the seed of an nkey
	CA             string // path of the trusted certificates, in PEM
	Cert, Key      string // paths of the client certificate and of its key
}

// options makes the options of a connection. It reads the files itself, so that an error names the one that is
// wrong.
func (c Credentials) options() ([]natsgo.Option, error) {
	if err := cmp.Or(c.checkFile(), c.checkSeed(), c.checkCA(), c.checkCert()); err != nil {
		return nil, err
	}
	var all []natsgo.Option
	if c.File != "" {
		all = append(all, natsgo.UserCredentials(c.File))
	}
	if c.User != "" {
		all = append(all, natsgo.UserInfo(c.User, c.Password))
	}
	if c.Token != "" {
		all = append(all, natsgo.Token(c.Token))
	}
	if c.Seed != "" {
		one, err := natsgo.NkeyOptionFromSeed(c.Seed)
		if err != nil {
			return nil, fmt.Errorf("the nkey in %s cannot be read: %w", c.Seed, err)
		}
		all = append(all, one)
	}
	if c.CA != "" {
		all = append(all, natsgo.RootCAs(c.CA))
	}
	if c.Cert != "" {
		all = append(all, natsgo.ClientCert(c.Cert, c.Key))
	}
	return all, nil
}

// checkFile says why the credentials file cannot be used, or nil.
func (c Credentials) checkFile() error {
	if c.File == "" {
		return nil
	}
	text, err := os.ReadFile(c.File)
	if err != nil {
		return fmt.Errorf("the credentials cannot be read: %w; mend --store-creds or NATS_CREDS", err)
	}
	if _, err := nkeys.ParseDecoratedUserNKey(text); err != nil || !strings.Contains(string(text), "NATS USER JWT") {
		return fmt.Errorf("%s is no file of credentials: want the JWT and the seed of a user, as nsc generate creds writes them; mend --store-creds or NATS_CREDS", c.File)
	}
	return nil
}

// checkSeed says why the file of the nkey cannot be used, or nil.
func (c Credentials) checkSeed() error {
	if c.Seed == "" {
		return nil
	}
	text, err := os.ReadFile(c.Seed)
	if err != nil {
		return fmt.Errorf("the nkey cannot be read: %w; mend NATS_NKEY, which is the path of a file", err)
	}
	if _, err := nkeys.ParseDecoratedUserNKey(text); err != nil {
		return fmt.Errorf("%s has no seed of the nkey of a user, which begins with SU; mend NATS_NKEY", c.Seed)
	}
	return nil
}

// checkCA says why the file of the trusted certificates cannot be used, or nil.
func (c Credentials) checkCA() error {
	if c.CA == "" {
		return nil
	}
	text, err := os.ReadFile(c.CA)
	if err != nil {
		return fmt.Errorf("the trusted certificates cannot be read: %w; mend NATS_CA", err)
	}
	if !x509.NewCertPool().AppendCertsFromPEM(text) {
		return fmt.Errorf("%s has no certificate in PEM; mend NATS_CA", c.CA)
	}
	return nil
}

// checkCert says why the client certificate cannot be used, or nil.
func (c Credentials) checkCert() error {
	if (c.Cert == "") != (c.Key == "") {
		return errors.New("of NATS_CERT and NATS_KEY only one is set; set both, or none")
	}
	if c.Cert == "" {
		return nil
	}
	if _, err := tls.LoadX509KeyPair(c.Cert, c.Key); err != nil {
		return fmt.Errorf("the certificate in %s with the key in %s cannot be used: %w; mend NATS_CERT and NATS_KEY", c.Cert, c.Key, err)
	}
	return nil
}

// describe names the credentials that are shown, or is "" without any. It has no secret in it.
func (c Credentials) describe() string {
	var all []string
	for _, one := range []struct{ given, what string }{
		{c.File, "the credentials in " + c.File}, {c.User, "the user " + c.User}, {c.Token, "the token"}, {c.Seed, "the nkey in " + c.Seed},
	} {
		if one.given != "" {
			all = append(all, one.what)
		}
	}
	return strings.Join(all, " and ")
}

// dialError says why a connection failed, and what to do.
func dialError(a Address, c Credentials, err error) error {
	at := strings.Join(a.Servers, ", ")
	switch {
	case strings.Contains(err.Error(), expired):
		return fmt.Errorf("the server at %s no longer takes %s, which has expired (%w); get new credentials", at, cmp.Or(c.describe(), "this user"), err)
	case isAuthRefusal(err):
		if shown := c.describe(); shown != "" {
			return fmt.Errorf("the server at %s refuses %s (%w); give others by --store-creds, or set NATS_USER and NATS_PASSWORD, NATS_TOKEN or NATS_NKEY", at, shown, err)
		}
		return fmt.Errorf("the server at %s refuses a user without credentials (%w); give --store-creds, or set NATS_USER and NATS_PASSWORD, NATS_TOKEN or NATS_NKEY", at, err)
	case errors.Is(err, natsgo.ErrSecureConnWanted):
		return fmt.Errorf("the server at %s has no TLS (%w); configure it there, or write nats:// and leave NATS_CA and NATS_CERT out", at, err)
	case errors.Is(err, natsgo.ErrNoServers), errors.Is(err, natsgo.ErrTimeout):
		return unreachable(fmt.Errorf("no NATS server answers at %s (%w); start one with nats-server -js, or mend the address", at, err))
	}
	if cure := tlsCure(c, err); cure != "" {
		return fmt.Errorf("no connection with TLS to the server at %s (%w); %s", at, err, cure)
	}
	return unreachable(fmt.Errorf("no connection to a NATS server at %s (%w); mend the address", at, err))
}

// expired is a part of the server's error for credentials that have expired.
const expired = "authentication expired"

// isAuthRefusal reports whether a server refuses the credentials.
func isAuthRefusal(err error) bool {
	return errors.Is(err, natsgo.ErrAuthorization) || errors.Is(err, natsgo.ErrAuthRevoked) || errors.Is(err, natsgo.ErrNkeysNotSupported) || strings.Contains(err.Error(), expired)
}

// tlsCure says what to do about a failed TLS handshake, or "" if the error is not of TLS.
func tlsCure(c Credentials, err error) string {
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "give the certificate of its authority by NATS_CA"
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return "write the host as its certificate names it"
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		return "renew the certificate of the server, and look at the clock of this machine"
	}
	if !errors.Is(err, natsgo.ErrTLS) && !strings.Contains(err.Error(), "remote error: tls") {
		return ""
	}
	if c.Cert == "" {
		return "where it wants a certificate of its clients, set NATS_CERT and NATS_KEY"
	}
	return "the certificate in " + c.Cert + " must be of an authority that the server trusts, and not have expired"
}
