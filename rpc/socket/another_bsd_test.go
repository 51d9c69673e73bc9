//go:build darwin || freebsd

package socket

import "testing"

const anotherUser = 65534

// asAnother skips the test: here a user is of the whole process.
func asAnother(t *testing.T, _ func()) { t.Skip("a thread cannot be another user's") }
