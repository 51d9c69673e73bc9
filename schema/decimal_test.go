package schema

import (
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestDecimal holds decimals against the exact numbers of the standard library.
func TestDecimal(t *testing.T) {
	number := rapid.StringMatching(`-?(0|[1-9][0-9]{0,5})(\.[0-9]{1,5})?([eE][+-]?[0-9]{1,2})?`)
	rapid.Check(t, func(t *rapid.T) {
		a, b := number.Draw(t, "a"), number.Draw(t, "b")
		x, _ := new(big.Rat).SetString(a)
		y, _ := new(big.Rat).SetString(b)
		require.Equal(t, x.Cmp(y), parseDecimal([]byte(a)).compare(parseDecimal([]byte(b))))
		require.Equal(t, x.IsInt(), parseDecimal([]byte(a)).isInteger())
		if x.IsInt() {
			require.Equal(t, x.Num().String(), string(parseDecimal([]byte(a)).appendPlain(nil)))
		}
	})
}

func TestDecimalOfHugeExponents(t *testing.T) {
	// The exponent and the number of digits must not overflow together.
	require.Equal(t, 1, parseDecimal([]byte("10e9223372036854775807")).compare(parseDecimal([]byte("1e400"))))
	require.Equal(t, -1, parseDecimal([]byte("0.001e-9223372036854775808")).compare(parseDecimal([]byte("1e-400"))))
	ordered := []string{"-1e99999999999999999999", "-1", "-1e-99999999999999999999", "0e99999999999999999999", "1e-99999999999999999999", "1e400", "1e99999999999999999999"}
	for i, a := range ordered {
		for j, b := range ordered {
			want := 0
			if i != j {
				want = map[bool]int{true: -1, false: 1}[i < j]
			}
			require.Equal(t, want, parseDecimal([]byte(a)).compare(parseDecimal([]byte(b))), "%s %s", a, b)
		}
	}
}
