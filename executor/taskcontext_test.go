package executor

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

type testKey struct{}

// A task's context is as one of package context, whether it is asked before or
// after its end.
func TestTaskContext(t *testing.T) {
	cause, other := errors.New("the cause"), errors.New("another")
	for name, asked := range map[string]bool{"asked before its end": true, "asked after its end": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &taskContext{values: context.WithValue(context.Background(), testKey{}, "value")}
				derived, cancel := context.Background(), func() {}
				called := make(chan struct{})
				derive := func() {
					require.Equal(t, "value", c.Value(testKey{}))
					derived, cancel = context.WithTimeout(c, time.Hour)
					context.AfterFunc(c, func() { close(called) })
				}
				if asked {
					require.NoError(t, c.Err())
					derive()
					require.NoError(t, derived.Err())
				}
				c.expire(cause)
				c.expire(other)
				if !asked {
					derive()
				}
				defer cancel()
				<-c.Done()
				<-derived.Done()
				<-called
				require.Equal(t, context.Canceled, c.Err())
				require.Equal(t, cause, context.Cause(c))
				require.Equal(t, cause, context.Cause(derived))
				_, limited := c.Deadline()
				require.False(t, limited)
			})
		})
	}
}
