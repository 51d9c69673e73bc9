package nats

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor/store/nats/natstest"
	"github.com/jobline/jobline/schema"
)

// operator makes accounts and users for a server that trusts it.
type operator struct {
	claims   *jwt.OperatorClaims
	key      nkeys.KeyPair
	accounts *server.MemAccResolver
}

// account is one of an operator.
type account struct {
	claims *jwt.AccountClaims
	key    nkeys.KeyPair
}

// pairOf is a key pair and its public key.
func pairOf(t *testing.T, made nkeys.KeyPair, err error) (key nkeys.KeyPair, public string) {
	t.Helper()
	require.NoError(t, err)
	public, err = made.PublicKey()
	require.NoError(t, err)
	return made, public
}

func newOperator(t *testing.T) *operator {
	t.Helper()
	made, err := nkeys.CreateOperator()
	key, public := pairOf(t, made, err)
	o := &operator{claims: jwt.NewOperatorClaims(public), key: key, accounts: &server.MemAccResolver{}}
	o.claims.SystemAccount = o.account(t, false).claims.Subject
	return o
}

// account makes an account, perhaps with JetStream.
func (o *operator) account(t *testing.T, jetStream bool) *account {
	t.Helper()
	made, err := nkeys.CreateAccount()
	key, public := pairOf(t, made, err)
	a := &account{claims: jwt.NewAccountClaims(public), key: key}
	if jetStream {
		a.claims.Limits.JetStreamLimits = jwt.JetStreamLimits{MemoryStorage: jwt.NoLimit, DiskStorage: jwt.NoLimit, Streams: jwt.NoLimit, Consumer: jwt.NoLimit}
	}
	o.publish(t, a)
	return a
}

// publish lets servers know an account as it is now.
func (o *operator) publish(t *testing.T, a *account) {
	t.Helper()
	text, err := a.claims.Encode(o.key)
	require.NoError(t, err)
	require.NoError(t, o.accounts.Store(a.claims.Subject, text))
}

// user makes a user who is known until a time, and writes the file of the credentials. It answers
// the public key.
func (a *account) user(t *testing.T, until time.Time, file string) string {
	t.Helper()
	made, err := nkeys.CreateUser()
	key, public := pairOf(t, made, err)
	claims := jwt.NewUserClaims(public)
	claims.Expires = until.Unix()
	text, err := claims.Encode(a.key)
	require.NoError(t, err)
	seed, err := key.Seed()
	require.NoError(t, err)
	creds, err := jwt.FormatUserConfig(text, seed)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, creds, 0o600))
	return public
}

// A file of credentials shows who a process is. What is wrong with it is told with the cure.
func TestCredentialsFiles(t *testing.T) {
	t.Parallel()
	trusted, folder := newOperator(t), t.TempDir()
	file := func(name string) string { return filepath.Join(folder, name) }
	ours := trusted.account(t, true)
	userNow := ours.user(t, soon, file("right"))
	trusted.account(t, true).user(t, soon, file("other"))
	trusted.account(t, false).user(t, soon, file("without"))
	newOperator(t).account(t, true).user(t, soon, file("unknown"))
	ours.user(t, past, file("over"))
	require.NoError(t, os.WriteFile(file("text"), []byte("canary"), 0o600))

	all, err := natstest.Start(t.TempDir(), 1, func(o *server.Options) {
		o.TrustedOperators, o.AccountResolver, o.SystemAccount = []*jwt.OperatorClaims{trusted.claims}, trusted.accounts, trusted.claims.SystemAccount
	})
	require.NoError(t, err)
	t.Cleanup(all.Stop)
	at := Address{Servers: all.URLs(), Namespace: "jobs"}
	works(t, at, Credentials{File: file("right")})
	for name, says := range map[string]string{
		"other":   "the account of the credentials in " + file("other") + " has no namespace jobs yet; ",
		"without": "enable it for the account",
		"unknown": "refuses the credentials in " + file("unknown"),
		"over":    "refuses the credentials in " + file("over"),
		"text":    "want the JWT and the seed of a user, as nsc generate creds writes them; mend --store-creds or NATS_CREDS",
		"none":    "mend --store-creds or NATS_CREDS",
		".":       "mend --store-creds or NATS_CREDS",
	} {
		require.Contains(t, refused(t, at, Credentials{File: file(name)}), says, name)
		require.ErrorContains(t, Check(t.Context(), at, Credentials{File: file(name)}), says, name)
	}
	require.Contains(t, refused(t, at, Credentials{}), "give --store-creds")

	// A user that is no longer known is refused while a server runs, until the file has another.
	s, task := open(t, Options{Address: at, Credentials: Credentials{File: file("right")}}), newTask()
	known, err := all[0].LookupAccount(ours.claims.Subject)
	require.NoError(t, err)
	ours.claims.Revoke(userNow)
	trusted.publish(t, ours)
	all[0].UpdateAccountClaims(known, ours.claims)
	before := connections(t, all[0])
	require.Eventually(t, func() bool { return connections(t, all[0]) >= before+3 }, patience, time.Millisecond, "it tries again and again")
	ours.user(t, soon, file("right"))
	s.submits(t, task)
	s.sees(t, task.ID, schema.Queued)
	require.NoError(t, s.Close())
}

// connections counts those that a server has ever had.
func connections(t *testing.T, s *natstest.Server) uint64 {
	about, err := s.Varz(nil)
	require.NoError(t, err)
	return about.TotalConnections
}

// A token or the seed of an nkey shows who a process is.
func TestTokensAndNkeys(t *testing.T) {
	t.Parallel()
	byToken := oneServer(t, func(o *server.Options) { o.Authorization = "canary" })
	works(t, byToken, Credentials{Token: "canary"})
	says := refused(t, byToken, Credentials{Token: "wrong-canary"})
	require.Contains(t, says, "refuses the token")
	require.NotContains(t, says, "canary")
	require.Contains(t, refused(t, byToken, Credentials{}), "NATS_TOKEN")

	folder := t.TempDir()
	seeded := func(name string) (file, public string) {
		made, err := nkeys.CreateUser()
		key, public := pairOf(t, made, err)
		seed, err := key.Seed()
		require.NoError(t, err)
		file = filepath.Join(folder, name)
		require.NoError(t, os.WriteFile(file, seed, 0o600))
		return file, public
	}
	right, public := seeded("right")
	unknown, _ := seeded("unknown")
	byKey := oneServer(t, func(o *server.Options) { o.Nkeys = []*server.NkeyUser{{Nkey: public}} })
	works(t, byKey, Credentials{Seed: right})
	require.Contains(t, refused(t, byKey, Credentials{Seed: unknown}), "refuses the nkey in "+unknown)
	require.Contains(t, refused(t, byToken, Credentials{Seed: right}), "refuses the nkey in "+right)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "text"), []byte("canary"), 0o600))
	says = refused(t, byKey, Credentials{Seed: filepath.Join(folder, "text")})
	require.Contains(t, says, "mend NATS_NKEY")
	require.NotContains(t, says, "canary")
	require.Contains(t, refused(t, byKey, Credentials{Seed: filepath.Join(folder, "none")}), "mend NATS_NKEY, which is the path of a file")
}
