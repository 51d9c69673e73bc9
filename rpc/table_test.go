package rpc

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/schema"
)

func TestMethodTable(t *testing.T) {
	require.ElementsMatch(t, schema.MethodNames, slices.Collect(maps.Keys(methods)))
}

// Every code of an error, with its kind, is the answer to something in a transcript.
func TestEveryCodeIsShown(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	require.NoError(t, err)
	var all strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		_, server, _ := strings.Cut(string(text), "-- server --")
		all.WriteString(server)
	}
	for _, known := range schema.Codes {
		shown := false
		for line := range strings.Lines(all.String()) {
			shown = shown || strings.Contains(line, `"error":{"code":`+strconv.Itoa(int(known.Code))+`,`) &&
				strings.Contains(line, `"data":{"kind":"`+known.Kind+`","retryable":`+strconv.FormatBool(known.Retryable))
		}
		require.True(t, shown, "%d %s", known.Code, known.Kind)
	}
}

// Errors that nothing on the wire leads to have a code of their own all the same.
func TestEveryErrorHasACode(t *testing.T) {
	for _, known := range codes {
		require.Equal(t, known.code, wireError(known.err).Code)
		require.Contains(t, wireError(known.err).Message, known.cure)
	}
	require.Equal(t, schema.CodeInternal, wireError(os.ErrInvalid).Code)
	require.NotContains(t, wireError(os.ErrInvalid).Message, os.ErrInvalid.Error(), "what is inside stays inside")
}

// The numbers that a request need not give are those of the published schema.
func TestDefaultsAreThoseOfTheSchema(t *testing.T) {
	var document struct {
		Methods []struct {
			Name   string
			Params []struct {
				Name   string
				Schema struct{ Default any }
			}
		}
	}
	require.NoError(t, json.Unmarshal(schema.OpenRPC(), &document))
	found := map[string]any{}
	for _, m := range document.Methods {
		for _, p := range m.Params {
			if p.Name == "limit" && p.Schema.Default != nil {
				found[m.Name] = p.Schema.Default
			}
		}
	}
	require.Equal(t, map[string]any{schema.MethodList: float64(defaultPage), schema.MethodGroups: float64(defaultPage), schema.MethodSchedules: float64(defaultPage), schema.MethodOutbox: float64(defaultPage), schema.MethodOutput: float64(defaultOutput)}, found)
}
