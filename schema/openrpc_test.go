package schema

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	oracle "github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite openrpc.json from the Go types")

func TestOpenRPCIsGenerated(t *testing.T) {
	doc, err := buildOpenRPC()
	require.NoError(t, err)
	doc = append(doc, '\n')
	if *update {
		require.NoError(t, os.WriteFile("openrpc.json", doc, 0o644))
		t.Skip("openrpc.json is rewritten; the next build embeds it")
	}
	require.Equal(t, string(doc), string(openRPC), "openrpc.json differs from the Go types: go test ./schema -update")
}

func TestOpenRPCIsOneLine(t *testing.T) {
	require.True(t, OpenRPC().IsValid())
	require.NotContains(t, string(OpenRPC()), "\n")
}

func TestOpenRPCIsValid(t *testing.T) {
	meta := openRPCMeta(t)
	require.NoError(t, meta.Validate(parsed(t, string(openRPC))))
	for name, change := range map[string][2]string{
		"a method without a name":        {`"name": "submit"`, `"nam": "submit"`},
		"a schema with a wrong keyword":  {`"type": "object"`, `"type": 7`},
		"an unknown parameter structure": {`"by-name"`, `"by-luck"`},
		"an error that is text":          {`"code": 1001`, `"code": "1001"`},
	} {
		broken := strings.Replace(string(openRPC), change[0], change[1], 1)
		require.NotEqual(t, string(openRPC), broken, name)
		require.Error(t, meta.Validate(parsed(t, broken)), name)
	}
}

// openRPCMeta compiles the meta-schema of OpenRPC. Its $schema is a copy of
// draft 7 under another name, which the compiler would take for a dialect of
// its own.
func openRPCMeta(t *testing.T) *oracle.Schema {
	c := oracle.NewCompiler()
	c.DefaultDraft(oracle.Draft7)
	for url, file := range map[string]string{
		"https://meta.open-rpc.org/":      "testdata/openrpc-meta-schema-1.3.json",
		"https://meta.json-schema.tools/": "testdata/json-schema-tools-meta-schema-1.8.json",
		"https://meta.json-schema.tools":  "testdata/json-schema-tools-meta-schema-1.8.json",
	} {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		doc := parsed(t, string(text)).(map[string]any)
		delete(doc, "$schema")
		delete(doc, "$id")
		require.NoError(t, c.AddResource(url, doc))
	}
	meta, err := c.Compile("https://meta.open-rpc.org/")
	require.NoError(t, err)
	return meta
}

func parsed(t require.TestingT, text string) any {
	v, err := oracle.UnmarshalJSON(strings.NewReader(text))
	require.NoError(t, err)
	return v
}

// TestOpenRPCExamples checks every example against the schema beside it, as a
// reader of the document would: through its references.
func TestOpenRPCExamples(t *testing.T) {
	var doc struct {
		Methods       []rpcExampleMethod `json:"methods"`
		Reserved      []rpcExampleMethod `json:"x-reserved"`
		Notifications []rpcExampleMethod `json:"x-notifications"`
		Components    struct {
			Errors map[string]jsontext.Value `json:"errors"`
		} `json:"components"`
	}
	require.NoError(t, json.Unmarshal(openRPC, &doc))
	methods := slices.Concat(doc.Methods, doc.Reserved, doc.Notifications)
	require.Len(t, methods, len(calls)+len(notifications))
	for _, m := range methods {
		schemas := map[string]jsontext.Value{}
		for _, p := range m.Params {
			schemas[p.Name] = p.Schema
		}
		for _, e := range m.Examples {
			for _, p := range e.Params {
				require.Contains(t, schemas, p.Name, m.Name)
				requireRefValid(t, schemas[p.Name], p.Value)
			}
			if m.Result != nil {
				requireRefValid(t, m.Result.Schema, e.Result.Value)
			}
		}
		for _, e := range m.Errors {
			require.Contains(t, doc.Components.Errors, strings.TrimPrefix(e.Ref, "#/components/errors/"), m.Name)
		}
	}
}

type rpcExampleMethod struct {
	Name   string
	Params []struct {
		Name   string         `json:"name"`
		Schema jsontext.Value `json:"schema"`
	} `json:"params"`
	Result *struct {
		Schema jsontext.Value `json:"schema"`
	} `json:"result"`
	Errors   []rpcRef         `json:"errors"`
	Examples []rpcExamplePair `json:"examples"`
}

// TestOpenRPCSuitsGenerators: every schema has a title that no other has, and
// every method a name that can be an identifier.
func TestOpenRPCSuitsGenerators(t *testing.T) {
	var doc struct {
		Methods []struct {
			Name string `json:"name"`
		} `json:"methods"`
	}
	require.NoError(t, json.Unmarshal(openRPC, &doc))
	require.Len(t, doc.Methods, len(calls)-2)
	for _, m := range doc.Methods {
		require.Regexp(t, `^[a-z]+([A-Z][a-z]+)*$`, m.Name)
	}
	titles := map[string]bool{}
	var walk func(at string, v any)
	walk = func(at string, v any) {
		switch v := v.(type) {
		case []any:
			for i, e := range v {
				walk(fmt.Sprintf("%s/%d", at, i), e)
			}
		case map[string]any:
			for name, e := range v {
				below := at + "/" + name
				if name == "examples" {
					continue
				}
				if isSchema.MatchString(below) && e != false {
					s, ok := e.(map[string]any)
					require.True(t, ok, "%s is %v", below, e)
					title, _ := s["title"].(string)
					require.True(t, s["$ref"] != nil || title != "" && !titles[title], "%s has the title %q", below, title)
					titles[title] = true
				}
				walk(below, e)
			}
		}
	}
	walk("", parsed(t, string(openRPC)))
	require.Greater(t, len(titles), 150)
}

// isSchema tells by the place in the document.
var isSchema = regexp.MustCompile(`/(schema|items|additionalProperties|(schemas|properties)/[^/]+)$`)

// requireRefValid validates a value against a schema of the document.
func requireRefValid(t *testing.T, s, value jsontext.Value) {
	s = bytes.ReplaceAll(s, []byte(`"#/`), []byte(`"doc.json#/`))
	c := oracle.NewCompiler()
	require.NoError(t, c.AddResource("doc.json", parsed(t, string(openRPC))))
	require.NoError(t, c.AddResource("s.json", parsed(t, string(s))))
	compiled, err := c.Compile("s.json")
	require.NoError(t, err)
	require.NoError(t, compiled.Validate(parsed(t, string(value))), "%s", value)
}

func TestOpenRPCIsComplete(t *testing.T) {
	names := func(table []described) (names []string) {
		for _, d := range table {
			names = append(names, d.name)
		}
		return names
	}
	require.ElementsMatch(t, constants(t, "methods.go", "Method"), names(calls))
	require.ElementsMatch(t, constants(t, "events.go", "Notify"), names(notifications))
}

// Every list and every map of params has a limit: a server looks each element
// up, or keeps it.
func TestEveryListOfParamsIsBounded(t *testing.T) {
	var doc struct {
		Methods []struct {
			Name   string
			Params []struct {
				Name   string
				Schema jsontext.Value
			}
		}
	}
	require.NoError(t, json.Unmarshal(openRPC, &doc, json.MatchCaseInsensitiveNames(true)))
	bounded := 0
	for _, method := range doc.Methods {
		for _, param := range method.Params {
			var s struct {
				Type          string `json:"type"`
				MaxItems      int    `json:"maxItems"`
				MaxProperties int    `json:"maxProperties"`
			}
			if param.Schema.Kind() != '{' { // it may be anything, and is kept or compared as a text
				continue
			}
			require.NoError(t, json.Unmarshal(param.Schema, &s))
			switch s.Type {
			case "array":
				require.Positive(t, s.MaxItems, "%s: %s", method.Name, param.Name)
				bounded++
			case "object":
				require.Positive(t, s.MaxProperties, "%s: %s", method.Name, param.Name)
				bounded++
			}
		}
	}
	require.Greater(t, bounded, 8)
}
