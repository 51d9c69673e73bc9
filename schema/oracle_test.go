package schema

import (
	"fmt"
	"math"
	"math/big"

	oracle "github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
)

// compileOracle compiles a schema with another implementation of JSON Schema.
// It has formats of its own for times and UUIDs, and its own base64; those of
// numbers, which it lacks, are told to it in terms of math/big. Nothing of
// this package judges.
func compileOracle(t require.TestingT, s *Schema) *oracle.Schema {
	c := oracle.NewCompiler()
	c.AssertFormat()
	c.AssertContent()
	for format, fits := range map[string]func(*big.Rat) bool{
		formatInt64:  func(n *big.Rat) bool { return !n.IsInt() || n.Num().IsInt64() },
		formatUint64: func(n *big.Rat) bool { return !n.IsInt() || n.Num().IsUint64() },
		formatFloat:  func(n *big.Rat) bool { f, _ := n.Float32(); return !math.IsInf(float64(f), 0) },
		formatDouble: func(n *big.Rat) bool { f, _ := n.Float64(); return !math.IsInf(f, 0) },
	} {
		c.RegisterFormat(&oracle.Format{Name: format, Validate: func(v any) error {
			if n, ok := new(big.Rat).SetString(fmt.Sprint(v)); ok && !fits(n) {
				return fmt.Errorf("does not fit %s", format)
			}
			return nil
		}})
	}
	require.NoError(t, c.AddResource("schema.json", parsed(t, string(s.Raw()))))
	compiled, err := c.Compile("schema.json")
	require.NoError(t, err)
	return compiled
}
