package cmd

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor/store/nats"
)

// What shows who a server is leaves the environment that its tasks have, those of types in Go, too.
func TestAServerTakesItsCredentialsOutOfItsEnvironment(t *testing.T) {
	for i, name := range append(credentialTexts, credentialFiles...) {
		t.Setenv(name, string(rune('a'+i)))
	}
	o := storeOptions{creds: "given"}
	require.True(t, o.takeCredentials())
	require.Equal(t, nats.Credentials{File: "given", User: "a", Password: "b", Token: "c", Seed: "e", CA: "f", Cert: "g", Key: "h"}, o.shown)
	for _, name := range append(credentialTexts, credentialFiles...) {
		require.Empty(t, os.Getenv(name), name)
	}
	require.False(t, (&storeOptions{}).takeCredentials())
}
