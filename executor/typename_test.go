package executor

import (
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestTypeNamesAreThoseOfThePattern(t *testing.T) {
	pattern := regexp.MustCompile(typeNamePattern)
	names := rapid.OneOf(
		rapid.StringMatching(`[A-Za-z][A-Za-z0-9_.-]{0,66}`), // most match; some are too long
		rapid.StringMatching(`[@-\[\x60-{/-:_.\- é\n]{0,3}`), // the bytes at the edges of what is allowed
		rapid.String(),
	)
	rapid.Check(t, func(t *rapid.T) {
		name := names.Draw(t, "name")
		require.Equal(t, pattern.MatchString(name), isTypeName(name), "%q", name)
	})
}
