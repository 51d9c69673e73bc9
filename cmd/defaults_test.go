package cmd

import (
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/rpc/client"
)

// defaultsRow is a row of the table of flags in docs/operations.md.
type defaultsRow struct{ flag, value, withStore, limit string }

// defaultsTable reads the table.
func defaultsTable(t *testing.T) (rows []defaultsRow) {
	text, err := os.ReadFile("../docs/operations.md")
	require.NoError(t, err)
	_, table, found := strings.Cut(string(text), "| flag | default |")
	require.True(t, found)
	table, _, _ = strings.Cut(table, "\n\n")
	for line := range strings.Lines(table) {
		cells := strings.Split(line, "|")
		if len(cells) < 7 || strings.HasPrefix(cells[1], "-") {
			continue
		}
		cell := func(i int) string { return strings.Trim(strings.TrimSpace(cells[i]), "`") }
		if cell(2) == "with `--store" { // the head
			continue
		}
		rows = append(rows, defaultsRow{cell(1), cell(2), cell(3), cell(4)})
	}
	return rows
}

// limitsOf are the limits that a server with the defaults of all flags shows.
func limitsOf(t *testing.T, args ...string) map[string]int64 {
	c, err := client.Spawn(t.Context(), exec.Command("jobline", append([]string{"serve", "--ignore-env"}, args...)...))
	require.NoError(t, err)
	stats, err := c.Stats(t.Context())
	require.NoError(t, err)
	require.NoError(t, c.Close())
	return stats.Limits
}

// limitValue is a value of the table as stats shows it.
func limitValue(t *testing.T, row defaultsRow, text string) int64 {
	text = strings.ReplaceAll(text, ",", "")
	if row.flag == "--limit" {
		return int64(runtime.NumCPU())
	}
	if strings.HasSuffix(row.limit, "Ms") {
		d, err := parseSpan(text)
		require.NoError(t, err, row)
		return milliseconds(d)
	}
	n, ok := parseSize(text)
	require.True(t, ok, row)
	return n
}

// The table of docs/operations.md has every flag of serve with its default, and
// every limit of stats with what it is without any flag.
func TestDefaultsAreDocumented(t *testing.T) {
	inMemory := limitsOf(t)
	inFile := limitsOf(t, "--store", filepath.Join(t.TempDir(), "tasks.db"))
	flags := (&Program{}).serveCommand().Flags()
	for _, row := range defaultsTable(t) {
		if name, ok := strings.CutPrefix(row.flag, "--"); ok {
			f := flags.Lookup(name)
			require.NotNil(t, f, "there is no flag %s", row.flag)
			f.Hidden = true // it is told of
			if fallback := f.DefValue; fallback != "" && fallback != "[]" && fallback != "false" && name != "limit" {
				commas := strings.NewReplacer(",", "", "[", "", "]", "") // of large numbers, and of lists
				require.Equal(t, commas.Replace(fallback), commas.Replace(row.value), row.flag)
			}
		}
		if row.limit == "" {
			continue
		}
		require.Contains(t, inMemory, row.limit, row.flag)
		require.Equal(t, limitValue(t, row, row.value), inMemory[row.limit], row)
		require.Equal(t, limitValue(t, row, cmp.Or(row.withStore, row.value)), inFile[row.limit], row)
		delete(inMemory, row.limit)
		delete(inFile, row.limit)
	}
	flags.VisitAll(func(f *pflag.Flag) { require.True(t, f.Hidden, "the table lacks --%s", f.Name) })
	require.Empty(t, inMemory, "the table lacks these limits")
	require.Empty(t, inFile, "the table lacks these limits")
}
