package nats

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/schema"
)

// authority makes certificates for a test, in files.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
	file string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{pool: x509.NewCertPool()}
	about := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority of a test"}, NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	a.cert, a.key, a.file = about, newKey(t), filepath.Join(t.TempDir(), "ca.pem")
	a.cert = a.sign(t, about, a.key, a.file)
	a.pool.AddCert(a.cert)
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return key
}

// sign makes a certificate for a key, and writes it to a file.
func (a *authority) sign(t *testing.T, about *x509.Certificate, key *ecdsa.PrivateKey, file string) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, about, a.cert, &key.PublicKey, a.key)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	made, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return made
}

// pair makes a certificate for 127.0.0.1 which is good until a time, and its key, as files.
func (a *authority) pair(t *testing.T, until time.Time) (cert, key string) {
	t.Helper()
	folder, secret := t.TempDir(), newKey(t)
	cert, key = filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem")
	a.sign(t, &x509.Certificate{
		SerialNumber: big.NewInt(2), NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: until, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, secret, cert)
	der, err := x509.MarshalECPrivateKey(secret)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), 0o600))
	return cert, key
}

// tlsServer is a server with TLS, which wants certificates of a clients' authority, if there is one.
func tlsServer(t *testing.T, a, clients *authority, until time.Time) Address {
	t.Helper()
	cert, err := tls.LoadX509KeyPair(a.pair(t, until))
	require.NoError(t, err)
	return oneServer(t, func(o *server.Options) {
		o.TLS, o.TLSConfig = true, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
		if clients != nil {
			o.TLSVerify, o.TLSConfig.ClientAuth, o.TLSConfig.ClientCAs = true, tls.RequireAndVerifyClientCert, clients.pool
		}
	})
}

var soon, past = time.Now().Add(time.Hour), time.Now().Add(-time.Hour)

// works looks whether a namespace can be made, and a task run.
func works(t *testing.T, at Address, c Credentials) {
	t.Helper()
	_, err := Init(t.Context(), at, c, Namespace{})
	require.NoError(t, err)
	require.NoError(t, Check(t.Context(), at, c))
	s, task := open(t, Options{Address: at, Credentials: c}), newTask()
	s.submits(t, task)
	s.sees(t, task.ID, schema.Queued)
	require.NoError(t, s.Close())
}

// A server shows a certificate that is looked at. What is wrong with it is told with the cure.
func TestTLSOfServers(t *testing.T) {
	t.Parallel()
	ours, other := newAuthority(t), newAuthority(t)
	at, trusting := tlsServer(t, ours, nil, soon), Credentials{CA: ours.file}
	require.True(t, strings.HasPrefix(at.Servers[0], "tls://"))
	works(t, at, trusting)
	for _, c := range []Credentials{{}, {CA: other.file}} {
		require.Contains(t, refused(t, at, c), "give the certificate of its authority by NATS_CA")
	}
	require.Contains(t, refused(t, at, Credentials{CA: "none.pem"}), "mend NATS_CA")
	_, key := ours.pair(t, soon)
	require.Contains(t, refused(t, at, Credentials{CA: key}), "has no certificate in PEM; mend NATS_CA")
	named := Address{Servers: []string{strings.Replace(at.Servers[0], "127.0.0.1", "localhost", 1)}, Namespace: at.Namespace}
	require.Contains(t, refused(t, named, trusting), "write the host as its certificate names it")
	require.Contains(t, refused(t, tlsServer(t, ours, nil, past), trusting), "renew the certificate of the server")

	plain := oneServer(t, func(*server.Options) {})
	plain.Servers[0] = strings.Replace(plain.Servers[0], "nats://", "tls://", 1)
	require.Contains(t, refused(t, plain, Credentials{}), "has no TLS")
}

// A server that wants a certificate of its clients takes one of an authority that it trusts.
func TestTLSOfClients(t *testing.T) {
	t.Parallel()
	ours, other := newAuthority(t), newAuthority(t)
	at := tlsServer(t, ours, ours, soon)
	shows := func(a *authority, until time.Time) Credentials {
		c := Credentials{CA: ours.file}
		c.Cert, c.Key = a.pair(t, until)
		return c
	}
	right := shows(ours, soon)
	works(t, at, right)
	require.Contains(t, refused(t, at, Credentials{CA: ours.file}), "set NATS_CERT and NATS_KEY")
	for _, wrong := range []Credentials{shows(other, soon), shows(ours, past)} {
		require.Contains(t, refused(t, at, wrong), "the certificate in "+wrong.Cert+" must be of an authority that the server trusts, and not have expired")
	}
	require.Contains(t, refused(t, at, Credentials{CA: ours.file, Cert: right.Cert}), "only one is set")
	require.Contains(t, refused(t, at, Credentials{CA: ours.file, Cert: right.Cert, Key: shows(ours, soon).Key}), "mend NATS_CERT and NATS_KEY")
}
