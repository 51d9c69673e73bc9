package sqlite

import (
	"bytes"
	"fmt"
	"os"
	"testing"

	"github.com/ncruces/go-sqlite3"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor/store/sqlite/internal/file"
)

// TestCutFile opens a store's file that ends too early. One of no bytes is a
// new store.
func TestCutFile(t *testing.T) {
	t.Parallel()
	d, random := newHarmed(t), newRandom(t)
	for n := 1; n < len(d.whole); n++ {
		if *thorough || random.IntN(damageShare/4) == 0 {
			require.Empty(t, d.try(t.Context(), d.whole[:n]), "cut to %d of %d bytes", n, len(d.whole))
		}
	}
}

const (
	// shortRows is how many bytes, at the end of a page, the rows of the tables
	// have of which a few bytes say the most.
	shortRows = 96
	// shortShare is damageShare of those.
	shortShare = 4
)

// shortPages are the pages of those tables.
func (d *harmed) shortPages(t *testing.T) map[int]bool {
	t.Helper()
	require.NoError(t, os.WriteFile(d.path, d.whole, 0o600))
	c, err := file.DialReader(d.path, "")
	require.NoError(t, err)
	pages := map[int]bool{}
	err = c.Query("SELECT rootpage FROM sqlite_schema WHERE name IN ('active','store','schedule')", func(row *sqlite3.Stmt) error {
		pages[row.ColumnInt(0)] = true
		return nil
	})
	require.NoError(t, err)
	require.NoError(t, c.Close())
	require.Len(t, pages, 3)
	return pages
}

// TestFlippedBit opens a store's file in which one bit is not as it was
// written: it is refused, or what is shown is as it was.
func TestFlippedBit(t *testing.T) {
	t.Parallel()
	d, random := newHarmed(t), newRandom(t)
	short := d.shortPages(t)
	found := map[string]int{}
	for bit := range len(d.whole) * 8 {
		share := damageShare
		if short[bit/8/smallPage+1] && bit/8%smallPage >= smallPage-shortRows {
			share = shortShare
		}
		if !*thorough && random.IntN(share*slower) != 0 {
			continue
		}
		file := bytes.Clone(d.whole)
		file[bit/8] ^= 1 << (bit % 8)
		if wrong := d.try(t.Context(), file); wrong != "" {
			if found[wrong[:min(len(wrong), 20)]]++; found[wrong[:min(len(wrong), 20)]] <= 3 {
				t.Errorf("bit %d of page %d, at %d in it: %s", bit%8, bit/8/smallPage+1, bit/8%smallPage, wrong)
			}
		}
	}
	require.Empty(t, found, fmt.Sprint(len(d.whole), " bytes"))
}
